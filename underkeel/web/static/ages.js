// Ages tick, by the server's clock; what is older than it may be says so.
"use strict";
(() => {
  const skew = Number(document.documentElement.dataset.now) - Date.now() / 1000;
  const STEPS = [[31536000, "y"], [86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  const span = (seconds) => {
    const parts = [];
    for (const [size, unit] of STEPS) {
      if (seconds >= size && parts.length < 2) {
        parts.push(`${Math.floor(seconds / size)} ${unit}`);
        seconds %= size;
      } else if (parts.length) break;
    }
    return parts.join(" ") || "0 s";
  };

  const words = (age) => {
    if (age >= 1) return `${span(Math.floor(age))} ago`;
    return age > -1 ? "just now" : `in ${span(Math.ceil(-age))}`;
  };

  const tick = () => {
    const now = Date.now() / 1000 + skew;
    for (const time of document.querySelectorAll("time.age")) {
      const age = now - Number(time.dataset.at);
      const text = words(age);
      if (time.textContent !== text) time.textContent = text;
      const limit = Number(time.dataset.staleAfter || Infinity);
      time.classList.toggle("stale", age > limit);
    }
  };

  window.underkeelTick = tick;
  tick();
  setInterval(tick, 1000);
})();
