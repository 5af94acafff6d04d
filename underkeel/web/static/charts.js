// Drawings are made from the tables beside them, in the page's own colours.
"use strict";
(() => {
  const drawn = new Map(); // canvas -> what to take away before it is drawn again

  const probe = document.createElement("span");
  const colour = (name) => {
    // light-dark() and var() as a colour that a canvas knows
    probe.hidden = true;
    probe.style.color = `var(--${name})`;
    if (!probe.isConnected) document.body.append(probe);
    return getComputedStyle(probe).color;
  };
  const palette = () => ["water", "magenta", "good", "warn", "unknown", "land-edge"].map(colour);

  const family = () => getComputedStyle(document.body).fontFamily;
  const zone = document.documentElement.dataset.zone || "UTC";

  const rows = (table) => [...table.tBodies[0].rows];
  const value = (row, i) => {
    const given = row.cells[i].dataset.value;
    return given === undefined ? null : Number(given);
  };
  const text = (row, i) => row.cells[i].textContent.trim();
  const heads = (table) => [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const clip = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

  // room for an axis's longest number
  const wide = (_, texts) => Math.max(50, 16 + 7.4 * Math.max(0, ...(texts || []).map((text) => text.length)));

  // what is left for the drawing above its legend, which may have lines
  const room = (canvas) => {
    const legend = canvas.querySelector(".u-legend");
    return canvas.clientHeight - Math.min(140, Math.max(34, legend ? legend.offsetHeight + 6 : 0));
  };

  // a tick's own format, then what is put below it where the year, or the day, changes
  const TIMES = [
    [31536000, "{YYYY}", null, null, null, null, null, null, 1],
    [2419200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [3600, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  ];

  const lines = (canvas, table) => {
    const found = rows(table).sort((a, b) => value(a, 0) - value(b, 0));
    const names = heads(table).slice(1);
    const data = [found.map((row) => value(row, 0))];
    names.forEach((_, i) => data.push(found.map((row) => value(row, i + 1))));
    const colours = palette();
    const axis = {
      stroke: colour("soft"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { stroke: colour("line"), width: 1 },
      font: `12px ${family()}`,
    };
    const ratio = canvas.dataset.unit === "ratio";
    const one = (u) => {
      // where the keel touches ground
      if (!ratio) return;
      const y = u.valToPos(1, "y", true);
      if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
      u.ctx.save();
      u.ctx.strokeStyle = colour("bad");
      u.ctx.lineWidth = 2;
      u.ctx.beginPath();
      u.ctx.moveTo(u.bbox.left, y);
      u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
      u.ctx.stroke();
      u.ctx.restore();
    };
    const plot = new uPlot(
      {
        width: canvas.clientWidth,
        height: room(canvas),
        hooks: { draw: [one] },
        scales: { x: { range: (_, low, high) => (high - low < 600 ? [high - 3600, high + 60] : [low, high]) } },
        axes: [{ ...axis, values: TIMES }, { ...axis, size: wide, values: (_, all) => all.map((v) => v.toLocaleString("en", { maximumFractionDigits: 4 })) }],
        series: [
          { label: "time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
          ...names.map((name, i) => ({
            label: clip(name, 36),
            stroke: colours[i % colours.length],
            width: 2,
            dash: i >= 3 ? [6, 4] : undefined,
            points: { show: data[0].length < 40 },
            spanGaps: false,
          })),
        ],
        tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
        cursor: { y: false },
      },
      data,
      canvas,
    );
    const fit = () => plot.setSize({ width: canvas.clientWidth, height: room(canvas) });
    requestAnimationFrame(fit); // its legend has found its lines by then
    return { resize: fit, away: () => plot.destroy() };
  };

  const chart = (canvas, option) => {
    const made = echarts.init(canvas, null, { renderer: "canvas" });
    made.setOption({
      animation: false,
      textStyle: { fontFamily: family(), color: colour("ink") },
      ...option,
      tooltip: {
        renderMode: "richText", // the other mode writes styles into the page
        confine: true,
        backgroundColor: colour("sheet"),
        borderColor: colour("edge"),
        textStyle: { color: colour("ink"), fontSize: 12 },
        ...option.tooltip,
      },
    });
    return { resize: () => made.resize(), away: () => made.dispose() };
  };

  const heat = (canvas, table) => {
    const found = rows(table);
    const names = heads(table);
    const xs = [...new Set(found.map((row) => text(row, 0)))];
    const ys = [...new Set(found.map((row) => text(row, 1)))];
    const label = (row) => {
      const past = text(row, 3);
      return past === "0" ? "" : past;
    };
    const cells = found.map((row, i) => ({
      value: [xs.indexOf(text(row, 0)), ys.indexOf(text(row, 1)), Math.min(value(row, 2) ?? 3, 3), i],
      label: { show: true, formatter: label(row), color: colour("ink"), fontSize: 11 },
      itemStyle: value(row, 2) === null ? { color: colour("unknown-wash") } : {},
    }));
    const axis = { type: "category", axisLabel: { color: colour("soft") }, axisTick: { show: false }, axisLine: { show: false }, nameTextStyle: { color: colour("soft") }, nameLocation: "middle" };
    const small = canvas.clientWidth < 500;
    return chart(canvas, {
      grid: { left: small ? 62 : 78, right: 10, top: 14, bottom: 92 },
      xAxis: { ...axis, data: xs, name: names[0], nameGap: 28 },
      yAxis: { ...axis, data: ys, name: names[1], nameGap: small ? 46 : 58 },
      visualMap: {
        type: "piecewise", dimension: 2, orient: "horizontal", left: "center", bottom: 0, itemWidth: 22, itemGap: 12,
        textStyle: { color: colour("soft"), fontSize: 11 },
        pieces: [
          { lt: 1, color: colour("heat-0"), label: "✖ < 1" },
          { gte: 1, lt: 1.1, color: colour("heat-1"), label: "1 to 1.1" },
          { gte: 1.1, lt: 1.5, color: colour("heat-2"), label: "1.1 to 1.5" },
          { gte: 1.5, lt: 2, color: colour("heat-3"), label: "1.5 to 2" },
          { gte: 2, color: colour("heat-4"), label: "2 and more" },
        ],
      },
      tooltip: {
        formatter: (item) => {
          const row = found[item.value[3]];
          return names.map((name, i) => `${name}: ${text(row, i)}`).join("\n");
        },
      },
      series: [{ type: "heatmap", data: cells, itemStyle: { borderColor: colour("sheet"), borderWidth: 2 }, emphasis: { itemStyle: { borderColor: colour("ink") } } }],
    });
  };

  const treemap = (canvas, table) => {
    const found = rows(table).filter((row) => (value(row, 1) ?? 0) > 0);
    const total = found.reduce((sum, row) => sum + value(row, 1), 0);
    return chart(canvas, {
      tooltip: { formatter: (item) => (item.data.full ? `${item.data.full}\n${item.data.usd} USD\n${item.data.chance} in a year` : "") },
      series: [{
        type: "treemap", roam: false, nodeClick: false, breadcrumb: { show: false },
        left: 0, right: 0, top: 10, bottom: 4,
        label: { color: colour("ink"), fontSize: 12, lineHeight: 17, overflow: "truncate", formatter: (item) => `${item.name}\n${item.data.usd}` },
        itemStyle: { borderColor: colour("sheet"), borderWidth: 2, gapWidth: 2 },
        data: found.slice(0, 40).map((row, i) => ({
          name: clip(text(row, 0), 48), full: text(row, 0), value: value(row, 1), usd: text(row, 1), chance: text(row, 2),
          itemStyle: { color: colour(["deep", "sea", "land", "warn-wash", "unknown-wash"][i % 5]) },
        })),
      }],
      aria: { enabled: false },
      title: total ? undefined : { text: "nothing has a price", left: "center", top: "center" },
    });
  };

  const sankey = (canvas, table) => {
    const found = rows(table).slice(0, 60);
    const names = new Set();
    const links = [];
    const reach = new Map(); // no circles: a stream that would close one is not drawn
    const below = (from, to) => from === to || [...(reach.get(from) || [])].some((next) => below(next, to));
    for (const row of found) {
      const [source, target, dollars] = [text(row, 0), text(row, 1), value(row, 3)];
      if (!dollars || below(target, source)) continue;
      if (!reach.has(source)) reach.set(source, new Set());
      reach.get(source).add(target);
      names.add(source).add(target);
      links.push({ source, target, value: dollars, usd: text(row, 3), kind: text(row, 2) });
    }
    return chart(canvas, {
      tooltip: { formatter: (item) => (item.dataType === "edge" ? `${item.data.source}\nstands on ${item.data.target}\n${item.data.usd} USD` : item.name) },
      series: [{
        type: "sankey", left: 4, right: canvas.clientWidth < 600 ? 70 : 170, top: 12, bottom: 12, nodeGap: 9, nodeWidth: 12,
        draggable: false, emphasis: { focus: "adjacency" },
        label: { color: colour("ink"), fontSize: 11, width: canvas.clientWidth < 600 ? 66 : 160, overflow: "truncate" },
        lineStyle: { color: colour("water"), opacity: 0.28, curveness: 0.5 },
        data: [...names].map((name) => ({ name, itemStyle: { color: colour("hull"), borderWidth: 0 } })),
        links,
      }],
    });
  };

  const KINDS = { lines: [lines, "uPlot"], heat: [heat, "echarts"], treemap: [treemap, "echarts"], sankey: [sankey, "echarts"] };

  const draw = () => {
    for (const [canvas, made] of drawn) {
      if (canvas.isConnected) continue;
      made.away();
      drawn.delete(canvas);
    }
    for (const canvas of document.querySelectorAll("[data-draw]")) {
      const [kind, library] = KINDS[canvas.dataset.draw];
      const table = document.getElementById(canvas.dataset.table);
      const twin = canvas.parentElement.querySelector("details");
      if (typeof window[library] === "undefined") {
        canvas.classList.add("off");
        if (twin) twin.open = true;
        continue;
      }
      if (!table || !table.tBodies || !canvas.clientWidth) continue;
      const shown = table.textContent + document.documentElement.dataset.theme + matchMedia("(prefers-color-scheme: dark)").matches;
      const before = drawn.get(canvas);
      if (before && before.shown === shown) continue;
      if (before) before.away();
      drawn.set(canvas, { ...kind(canvas, table), shown });
    }
  };

  const again = () => {
    for (const made of drawn.values()) made.shown = "";
    draw();
  };

  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => drawn.forEach((made) => made.resize()), 120);
  });
  document.addEventListener("underkeel:theme", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);

  const slide = () => {
    for (const box of document.querySelectorAll("[data-slider]")) {
      const table = document.getElementById(box.dataset.slider);
      const range = box.querySelector("input");
      if (!table || !table.tBodies || !range) continue;
      const show = () => {
        const at = Number(range.value) + 1;
        for (const row of table.rows) {
          for (let i = 1; i < row.cells.length; i++) row.cells[i].classList.toggle("off", i !== at);
        }
        box.querySelector("output").textContent = table.tHead.rows[0].cells[at].textContent;
        range.setAttribute("aria-valuetext", table.tHead.rows[0].cells[at].textContent);
      };
      range.disabled = false;
      box.classList.add("live");
      if (!range.dataset.ready) range.addEventListener("input", show);
      range.dataset.ready = "yes";
      show();
    }
  };

  window.underkeelDraw = () => {
    slide();
    draw();
  };
  window.underkeelDraw();
})();
