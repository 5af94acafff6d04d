// Keys, dialogs and the theme's button; everything here can be done by links and forms too.
"use strict";
(() => {
  const dialog = (id) => document.getElementById(id);

  const GO = { o: "/", p: "/positions", r: "/risk", e: "/exposure", b: "/rebalance", t: "/transactions", a: "/alerts", v: "/approvals", h: "/history", s: "/system" };

  const prepare = () => {
    for (const id of ["theme", "help"]) {
      const button = document.getElementById(id);
      if (button) button.hidden = false;
    }
  };

  document.addEventListener("click", (event) => {
    const at = event.target.closest ? event.target.closest("#theme, #help, #pause, [data-close]") : null;
    if (!at) return;
    if (at.id === "theme") window.underkeelTheme();
    else if (at.id === "help") dialog("keys-dialog").showModal();
    else if (at.id === "pause") {
      event.preventDefault();
      dialog("pause-dialog").showModal();
    } else at.closest("dialog").close();
  });

  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && location.hash === "#rail") {
      location.hash = "#main";
      return;
    }
    if (going && GO[event.key]) {
      event.preventDefault();
      location.assign(GO[event.key]);
      return;
    }
    going = 0;
    if (event.key === "g") {
      going = setTimeout(() => { going = 0; }, 1500);
    } else if (event.key === "/") {
      const box = document.querySelector("input[type=search]");
      if (box) {
        event.preventDefault();
        box.focus();
      }
    } else if (event.key === "d") window.underkeelTheme();
    else if (event.key === "." && typeof htmx !== "undefined") htmx.trigger("#main", "reload");
    else if (event.key === "?" && dialog("keys-dialog")) dialog("keys-dialog").showModal();
  });

  window.underkeelKeys = prepare;
  prepare();
})();
