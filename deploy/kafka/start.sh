#!/usr/bin/env bash
# Starts the broker of docker-compose.yml. The first time it makes an empty log that knows the administrator.
set -euo pipefail

config=/etc/savings/server.properties
if [ ! -f /var/lib/kafka/data/meta.properties ]; then
  /opt/kafka/bin/kafka-storage.sh format --standalone --config "$config" \
    --cluster-id "$(/opt/kafka/bin/kafka-storage.sh random-uuid)" \
    --add-scram "SCRAM-SHA-512=[name=admin,password=$(cat /run/secrets/kafka_password_admin)]"
fi
exec /opt/kafka/bin/kafka-server-start.sh "$config"
