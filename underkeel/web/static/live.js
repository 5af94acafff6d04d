// What the server says over its stream: pages are read again in place, news pops up, silence is told.
"use strict";
(() => {
  const stream = document.getElementById("stream");
  if (!stream || typeof htmx === "undefined") return;
  const main = document.getElementById("main");
  const lost = document.getElementById("lost");
  const toasts = document.getElementById("toasts");
  const LEAST = 400; // between two readings
  const TOASTS = 4;
  const ICONS = { critical: ["▲", "bad"], warning: ["◆", "warn"] };
  const heads = { ids: new Set() };

  // A page is read again at most so often; what came meanwhile is in the next reading.
  let last = 0;
  let timer = 0;
  const reload = () => {
    if (timer) return;
    const wait = Math.max(0, LEAST - (Date.now() - last));
    timer = setTimeout(() => {
      timer = 0;
      if (busy()) {
        last = Date.now();
        reload();
        return;
      }
      last = Date.now();
      if (main.hasAttribute("hx-get")) htmx.trigger(main, "reload");
    }, wait);
  };

  // Nothing is moved under the hands of somebody who is typing.
  const busy = () => {
    const at = document.activeElement;
    return Boolean(at && main.contains(at) && (at.matches("select") || (at.matches("input:not([type=range]):not([type=search])") && at.value)));
  };

  const parsed = (event) => {
    try {
      return JSON.parse(event.detail.data);
    } catch {
      return {};
    }
  };

  const toast = (news) => {
    const [icon, tone] = ICONS[news.severity] || ["●", ""];
    const box = document.createElement("div");
    box.className = `toast${tone ? ` tone-edge-${tone}` : ""}`;
    const said = document.createElement("p");
    const mark = document.createElement("span");
    mark.className = `mark${tone ? ` tone-${tone}` : ""}`;
    mark.setAttribute("aria-hidden", "true");
    mark.textContent = icon;
    const text = String(news.text || news.kind || "").slice(0, 300);
    if (news.alert) {
      const link = document.createElement("a");
      link.href = `/alerts/${encodeURIComponent(news.alert)}`;
      link.textContent = text;
      said.append(mark, ` ${news.severity || ""} `, link);
    } else said.append(mark, ` ${text}`);
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", "Close this message");
    close.addEventListener("click", () => box.remove());
    box.append(said, close);
    toasts.append(box);
    while (toasts.children.length > TOASTS) toasts.firstChild.remove();
    setTimeout(() => {
      if (!box.matches(":hover, :focus-within")) box.remove();
    }, 12000);
  };

  stream.addEventListener("snapshot", (event) => {
    // what the page was made after it shows already: a new connection is told everything once
    const at = Date.parse(parsed(event).at || "") / 1000;
    const made = Number(document.getElementById("bell").dataset.now);
    if (at > made) reload();
  });
  stream.addEventListener("event", (event) => {
    const news = parsed(event);
    const id = event.detail.id || news.id;
    if (id && heads.ids.has(id)) return;
    heads.ids.add(id);
    const loud = news.severity === "critical" || news.severity === "warning";
    if (loud || news.alert || news.kind === "alert") toast(news); // a silence is of no one alert
    reload();
  });

  // The banner tells that nothing more comes; it goes as soon as something does.
  const text = document.getElementById("lost-text");
  const gone = (why) => {
    text.textContent = why;
    lost.hidden = false;
  };
  document.addEventListener("htmx:sse:after:connection", (event) => {
    const status = event.detail.connection.status;
    if (status === 401 || status === 403) gone("Load the page to log in again.");
    else {
      stream.dataset.open = "yes";
      lost.hidden = true;
      reload(); // for what happened before anybody listened
    }
  });
  document.addEventListener("htmx:sse:error", (event) => {
    const status = event.detail.status;
    gone(status === 401 || status === 403 ? "Load the page to log in again." : "What is shown may be old. Trying again …");
  });
  document.addEventListener("htmx:sse:close", () => gone("Load the page to go on."));
  document.addEventListener("htmx:error", () => gone("What is shown may be old. Trying again …"));
  window.addEventListener("offline", () => gone("This machine is offline."));

  const plain = document.querySelector("link[rel=icon]").href;
  const badge = () => {
    const bell = document.getElementById("bell");
    const count = Number(bell ? bell.dataset.firing : 0);
    const critical = Number(bell ? bell.dataset.critical : 0);
    const icon = document.querySelector("link[rel=icon]");
    const bare = document.title.replace(/^\(\d+\) /, "");
    document.title = count ? `(${count}) ${bare}` : bare;
    if (badge.shown === `${count}/${critical}`) return;
    badge.shown = `${count}/${critical}`;
    if (!count) {
      icon.href = plain;
      return;
    }
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    const pen = canvas.getContext("2d");
    const image = new Image();
    image.onload = () => {
      pen.drawImage(image, 0, 0, 64, 64);
      pen.fillStyle = critical ? "#c1272d" : "#a86400";
      pen.beginPath();
      pen.arc(44, 20, 20, 0, 7);
      pen.fill();
      pen.fillStyle = "#fff";
      pen.font = "bold 27px sans-serif";
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(count > 99 ? "99" : String(count), 44, 21);
      icon.href = canvas.toDataURL("image/png");
    };
    image.src = plain;
  };

  // What was asked for is on its way: its form stays open else, as if nothing had happened.
  document.addEventListener("submit", (event) => {
    const box = event.target.closest("details.silencer");
    if (box) box.open = false;
  });

  // What is not a page, such as a problem told as JSON, never takes a page's place.
  document.addEventListener("htmx:before:swap", (event) => {
    const response = event.detail.ctx.response;
    if (!response || (response.headers.get("Content-Type") || "").startsWith("text/html")) return;
    event.preventDefault();
    let why = `the service answered ${response.status}`;
    try {
      why = JSON.parse(event.detail.ctx.text).detail || why;
    } catch { /* no more is known */ }
    if (response.status === 401 || response.status === 403) gone("Load the page again, to log in or to go on.");
    else toast({ severity: "warning", text: `Not done: ${why}` });
  });

  const settle = () => {
    window.underkeelTick();
    window.underkeelTables();
    window.underkeelDraw();
    window.underkeelKeys();
    badge();
  };
  document.addEventListener("htmx:after:swap", settle);

  // Now that the extension is there, and everybody listens: it may have come after htmx began.
  stream.setAttribute("hx-sse:connect", stream.dataset.connect);
  htmx.process(stream);
  badge();
})();
