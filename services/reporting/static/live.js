// Brings the draft up to date while it is looked at. The server says that something moved; this page is then fetched
// again, and in each part marked data-live what differs is put in its place: focus, scrolling and selection stay where
// they are. What changed in the table is told politely. Parts without the mark, forms among them, are left alone.
(() => {
  "use strict";

  const TOLD_AT_ONCE = 3;
  const AGAIN_SECONDS = 30;
  const SWITCH_KEY = "savings-live";
  const WORDS = {
    on: "The figures on this page update themselves.",
    off: "The figures on this page no longer update themselves.",
    ended: "The figures on this page no longer update themselves. Load the page again to see the newest.",
  };

  const box = document.getElementById("live");
  if (!box || !window.EventSource || !window.fetch) return;
  const status = document.getElementById("live-told");
  const button = document.getElementById("live-switch");

  let shown = box.dataset.version;
  let told = null;
  let stream = null;
  let again = null;
  let wanted = true;
  let fetching = false;
  let moved = false;

  function say(text) {
    status.textContent = text;
  }

  function listen() {
    if (stream || !wanted || document.hidden) return;
    stream = new EventSource(box.dataset.events);
    stream.addEventListener("moved", (event) => {
      const first = told === null;
      if (event.lastEventId === told) return;
      told = event.lastEventId;
      if (first && String(JSON.parse(event.data).version) === shown) return;
      refresh();
    });
    stream.addEventListener("error", () => {
      // It ends every few minutes and is opened again by the browser; refused, it is not.
      if (!stream || stream.readyState !== EventSource.CLOSED) return;
      hush();
      again = setTimeout(listen, AGAIN_SECONDS * 1000);
    });
  }

  // A page that nobody looks at keeps no connection: over HTTP/1.1 a browser has six for a whole site.
  function hush() {
    clearTimeout(again);
    if (stream) stream.close();
    stream = null;
  }

  async function refresh() {
    if (fetching) {
      moved = true;
      return;
    }
    fetching = true;
    try {
      const answer = await fetch(location.href, { cache: "no-cache", credentials: "same-origin" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const theirs = fresh.getElementById("live");
      if (!answer.ok || !theirs) {
        // Signed out, or the address has no such table any more.
        wanted = false;
        hush();
        say(WORDS.ended);
        return;
      }
      if (!wanted) return;
      put(fresh);
      shown = theirs.dataset.version;
      box.dataset.version = shown;
    } catch (error) {
      // Out of reach just now: the stream ends too, and with its next opening the version is told again.
      told = "";
    } finally {
      fetching = false;
      if (moved) {
        moved = false;
        refresh();
      }
    }
  }

  function put(fresh) {
    const before = figures();
    let differs = false;
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
      if (!other || part.isEqualNode(other)) continue;
      differs = true;
      become(part, document.adoptNode(other));
    }
    if (!differs) return;
    const after = figures();
    const changed = [...after].filter(([name, text]) => before.get(name) !== text);
    if (changed.length === 0) {
      say("The page was updated. The figures in the table are as they were.");
      return;
    }
    const some = changed.slice(0, TOLD_AT_ONCE).map(([name, text]) => `${name} is now ${text === "–" ? "without a figure" : text}`);
    const more = changed.length - some.length;
    if (more > 0) some.push(`${more} more ${more === 1 ? "figure" : "figures"} changed`);
    say(`The table was updated: ${some.join("; ")}.`);
  }

  // What each cell of the printed table says, by its row and column: "Highways, SE7, 2012/13".
  function figures() {
    const found = new Map();
    for (const table of document.querySelectorAll("[data-live] .tracker-table")) {
      const columns = [...table.querySelectorAll("thead th")].map((cell) => words(cell));
      for (const group of [...table.tBodies, ...(table.tFoot ? [table.tFoot] : [])]) {
        const workstream = group.querySelector("th[scope=rowgroup]");
        for (const row of group.rows) {
          const cells = [...row.cells];
          const label = row.querySelector("th[scope=row]");
          cells.forEach((cell, place) => {
            // Counted from the right: the name of a workstream spans its rows.
            const column = columns[columns.length - cells.length + place];
            if (cell.tagName === "TD" && words(cell)) {
              found.set([workstream, label].filter(Boolean).map(words).concat(column).join(", "), words(cell));
            }
          });
        }
      }
    }
    return found;
  }

  function words(element) {
    return element.textContent.trim().replace(/\s+/g, " ");
  }

  // Makes one element like another with as little as must be changed.
  function become(old, fresh) {
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      // What the reader has opened stays open.
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    const theirs = [...fresh.childNodes];
    const ours = [...old.childNodes];
    theirs.forEach((node, place) => {
      const own = ours[place];
      if (!own) old.appendChild(node);
      else if (own.isEqualNode(node)) return;
      else if (own.nodeType !== node.nodeType || own.nodeName !== node.nodeName) old.replaceChild(node, own);
      else if (own.nodeType === Node.ELEMENT_NODE) become(own, node);
      else own.nodeValue = node.nodeValue;
    });
    ours.slice(theirs.length).forEach((node) => node.remove());
  }

  function remember(value) {
    try {
      sessionStorage.setItem(SWITCH_KEY, value);
    } catch (error) {
      // Kept from us: then the choice holds for this page alone.
    }
  }

  function remembered() {
    try {
      return sessionStorage.getItem(SWITCH_KEY);
    } catch (error) {
      return null;
    }
  }

  function turn(on) {
    wanted = on;
    button.textContent = on ? "Stop updating" : "Update by itself";
    if (on) listen();
    else hush();
  }

  button.addEventListener("click", () => {
    remember(wanted ? "off" : "on");
    turn(!wanted);
    say(wanted ? WORDS.on : WORDS.off);
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
  // A page that the browser kept whole and shows again has missed what moved; one that is left ends its stream at once.
  window.addEventListener("pagehide", hush);
  window.addEventListener("pageshow", () => listen());

  box.hidden = false;
  turn(remembered() !== "off");
  say(wanted ? WORDS.on : WORDS.off);
})();
