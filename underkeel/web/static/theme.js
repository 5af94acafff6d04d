// Before anything is drawn: the theme that was chosen here, if one was.
"use strict";
(() => {
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("underkeel-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch { /* storage is off: the system's choice stands */ }
  window.underkeelTheme = () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("underkeel-theme", root.dataset.theme);
    } catch { /* it holds for this page */ }
    document.dispatchEvent(new Event("underkeel:theme"));
  };
})();
