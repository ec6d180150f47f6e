"""What becomes of a connection to a broker that breaks under us."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

import shared.bus.kafka  # noqa: F401 - it mends how a broken connection is told


async def send_for_ever(connection: AIOKafkaConnection) -> None:
    """So that one falls between the end of the connection and the client's hearing of it."""
    while True:
        connection.send(ApiVersionRequest(), expect_response=False).close()
        await asyncio.sleep(0)


def test_a_connection_that_broke_is_told_by_the_error_that_the_client_waits_for() -> None:
    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async def scenario() -> None:
        async with await asyncio.start_server(broker, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            connection = AIOKafkaConnection(host, port)
            connection._closed_fut = asyncio.get_running_loop().create_future()
            connection._reader, connection._writer = await asyncio.open_connection(host, port)
            connection._read_task = connection._create_reader_task()
            async with asyncio.timeout(10):
                with pytest.raises(KafkaConnectionError, match="handler is closed"):
                    await send_for_ever(connection)
            assert not connection.connected()

    uvloop.run(scenario())
