"use strict";
(() => {
  const root = document.documentElement;
  const themes = JSON.parse(document.getElementById("themes").textContent);
  const printing = { on: false };
  const PRINT_WIDTH = 660;

  /* ---- appearance ---- */
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try { return localStorage.getItem("neuroptych-appearance"); } catch { return null; }
  };
  const remember = (value) => {
    try { localStorage.setItem("neuroptych-appearance", value); } catch { /* no storage: fine */ }
  };
  const appearance = () => {
    if (printing.on) return "light";
    return root.dataset.theme || (system.matches ? "dark" : "light");
  };
  const stored = remembered();
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;

  const toggle = document.getElementById("appearance");
  const showAppearance = () => {
    const dark = appearance() === "dark";
    toggle.setAttribute("aria-pressed", String(dark));
    toggle.querySelector("span").textContent = dark ? "Light" : "Dark";
  };

  /* ---- unpacking ---- */
  const bytesOf = (base64) => {
    /* a loop is ten times as fast as Uint8Array.from */
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
    return bytes;
  };
  const unpack = async (base64) => {
    const stream = new Blob([bytesOf(base64)]).stream()
      .pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const numbersOf = (packed) => {
    const bytes = bytesOf(packed.data);
    if (packed.type === "f8") return new Float64Array(bytes.buffer);
    if (packed.type === "f4") return new Float32Array(bytes.buffer);
    const levels = new Float32Array(bytesOf(packed.levels).buffer);
    return Float32Array.from(bytes, (code) => (code === 255 ? NaN : levels[code]));
  };
  const arrayOf = (packed) => {
    const flat = numbersOf(packed);
    if (packed.shape.length < 2) return flat;
    const [rows, columns] = packed.shape;
    return Array.from({ length: rows }, (_, r) => flat.subarray(r * columns, (r + 1) * columns));
  };
  const isReference = (value) =>
    value !== null && typeof value === "object" && Object.hasOwn(value, "$");
  const resolve = (value, arrays) => {
    if (isReference(value)) return arrays[value.$];
    if (Array.isArray(value)) return value.map((item) => resolve(item, arrays));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, resolve(item, arrays)]));
    }
    return value;
  };

  let library = null;
  const loadLibrary = () => {
    library ??= unpack(document.getElementById("plotly").textContent.trim()).then((text) => {
      const script = document.createElement("script");
      script.textContent = text;
      document.head.append(script);
      if (!window.Plotly) throw new Error("The figure library did not start.");
    });
    return library;
  };

  /* ---- colours ---- */
  const COLOUR_KEYS = new Set(["color", "fillcolor", "bgcolor", "colorscale"]);
  const withAlpha = (hex, alpha) => {
    const part = (at) => parseInt(hex.slice(at, at + 2), 16);
    return `rgba(${part(1)},${part(3)},${part(5)},${alpha})`;
  };
  const colourOf = (name, theme) => {
    const [key, alpha] = name.slice(1).split("/");
    if (key === "categorical") return steps(theme);
    if (Array.isArray(theme[key])) return theme[key];
    const hex = /^g\d+$/.test(key) ? theme.groups[Number(key.slice(1))] : theme[key];
    return alpha ? withAlpha(hex, alpha) : hex;
  };
  const painted = (value, theme, key) => {
    if (COLOUR_KEYS.has(key) && typeof value === "string" && value.startsWith("@")) {
      return colourOf(value, theme);
    }
    if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
    if (Array.isArray(value)) {
      return value.length && typeof value[0] === "object" && !ArrayBuffer.isView(value[0])
        ? value.map((item) => painted(item, theme, key)) : value;
    }
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, painted(item, theme, name)]));
  };
  const steps = (theme) => {
    /* one even step for each integer from -1 (none) on */
    const count = theme.groups.length + 1;
    const colours = [theme.surface, ...theme.groups];
    return colours.flatMap((colour, at) => [[at / count, colour], [(at + 1) / count, colour]]);
  };

  /* ---- marks that depend on the width ---- */
  const short = (label, limit = 22) =>
    (label.length > limit ? label.slice(0, limit - 1) + "\u2026" : label);
  const middle = (label, limit) => {
    if (label.length <= limit) return label;
    const end = Math.floor(limit / 2);
    return `${label.slice(0, limit - 1 - end)}\u2026${label.slice(-end)}`;
  };
  const front = (label, limit) =>
    (label.length > limit ? `\u2026${label.slice(1 - limit)}` : label);
  const toldApart = (labels, limit) => {
    /* labels cut to a length, such that different labels stay different */
    const kinds = new Set(labels).size;
    for (const cut of [short, middle, front]) {
      const found = labels.map((label) => cut(label, limit));
      if (new Set(found).size === kinds) return found;
    }
    return labels;
  };
  const escaped = (label) =>
    label.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  const ruler = document.createElement("canvas").getContext("2d");
  const FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const widest = (labels, limit) => {
    ruler.font = `11px ${FAMILY}`;
    return Math.max(0, ...toldApart(labels, limit).map((label) => ruler.measureText(label).width));
  };
  const lined = (title, room) => {
    /* an axis title broken into lines that fit; what is escaped is measured as it is seen */
    if (!title) return [];
    ruler.font = `12px ${FAMILY}`;
    const seen = (text) => text.replace(/&(amp|lt|gt);/g, "x");
    const lines = [];
    for (const word of title.replaceAll(" (", "\u00a0(").split(" ")) {
      const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
      if (lines.length && ruler.measureText(seen(longer)).width <= room) {
        lines[lines.length - 1] = longer;
      } else lines.push(word);
    }
    return lines;
  };
  const LINE = 15;

  const labelTicks = (labels, pixels, range, limit, x0 = 0, dx = 1, pitch = 10.6) => {
    if (!labels || !labels.length) return {};
    const shown = Math.abs(range[1] - range[0]) / dx;
    const every = Math.max(1, Math.ceil((pitch * shown) / Math.max(pixels, 1)));
    const places = labels.map((_, at) => at).filter((at) => at % every === 0);
    const told = toldApart(labels, limit);
    return {
      tickmode: "array",
      tickvals: places.map((at) => x0 + at * dx),
      ticktext: places.map((at) => escaped(told[at])),
      ticks: "",
      showgrid: false,
    };
  };

  const STRIP = 14;
  const spanMarks = (panel, range, size, theme) => {
    const shapes = [];
    const annotations = [];
    const heat = panel.kind === "heatmap";
    const y0 = 1 + 4 / size.height;
    const y1 = y0 + STRIP / size.height;
    for (const span of panel.spans || []) {
      const start = Math.max(span.start, Math.min(...range));
      const stop = Math.min(span.stop, Math.max(...range));
      if (!(stop > start)) continue;
      const colour = theme.groups[span.place % theme.groups.length];
      const common = { type: "rect", xref: "x", x0: start, x1: stop, line: { width: 0 } };
      shapes.push({ ...common, yref: "paper", y0, y1, fillcolor: withAlpha(colour, 0.32) });
      if (!heat && panel.spans.length <= 60) {
        shapes.push({
          ...common, yref: "paper", y0: 0, y1: 1, fillcolor: withAlpha(colour, 0.07),
          layer: "below",
        });
      }
      const wide = ((stop - start) / Math.abs(range[1] - range[0])) * size.width;
      const number = String(span.place + 1);
      const text = span.label.length * 6.4 + 6 <= wide ? span.label
        : number.length * 7 + 3 <= wide ? number : "";
      if (text) {
        annotations.push({
          xref: "x", yref: "paper", x: (start + stop) / 2, y: (y0 + y1) / 2, showarrow: false,
          text: escaped(text), font: { size: 10, color: theme.ink }, yanchor: "middle",
        });
      }
    }
    for (const at of panel.breaks || []) {
      shapes.push({
        type: "line", xref: "x", yref: "paper", x0: at, x1: at, y0: 0, y1: 1,
        line: { color: heat ? theme.surface : theme.muted, width: 1, dash: "dot" },
      });
    }
    return { shapes, annotations };
  };

  /* ---- sizes ---- */
  const SCALE_NAMED = 400; /* a narrower panel has no room for the title of its colour scale */
  const limitsOf = (width, { kind, square, rows, bars }) => {
    if (square && width < 480) return rows <= 8 ? { x: 10, y: 14 } : { x: 9, y: 9 };
    if (kind === "bars") {
      /* seven pixels a letter: as many as lie between two bars, or beside them */
      return { x: Math.max(18, Math.floor((width - 80) / (7 * Math.max(bars, 1)))),
        y: width < 360 ? 18 : width < 480 ? 28 : 36 };
    }
    return width < 300 ? { x: 14, y: 14 } : { x: 18, y: width < 480 ? 18 : 26 };
  };
  const NARROW = 400; /* a panel of fewer pixels has room for names and not for remarks on them */
  const labelsOf = (panel, width) => {
    /* below a square of units by units, remarks would only say again what stands beside its rows */
    const alone = (labels) => {
      const names = (labels || []).map((label) => label.split(REMARK)[0]);
      return names.every((name) => bare(name).length) && new Set(names).size === names.length ? names : labels;
    };
    const { xlabels: x, ylabels: y } = panel;
    if (panel.kind !== "heatmap") return [x, y];
    const again = panel.square && String(x) === String(y);
    return [width < NARROW || again ? alone(x) : x, width < NARROW ? alone(y) : y];
  };
  const hasScale = (panel) => panel.kind === "heatmap" && panel.traces[0].showscale;
  const sideOf = (panel, inner) => /* of a square; few cells need no large one */
    Math.min(inner, 700, Math.max(160, 64 * Math.max(panel.rows, panel.columns)));
  const innerHeight = (panel, width, inner) => {
    /* height of the plot proper; inner is its width */
    if (panel.kind === "heatmap" && panel.square) return sideOf(panel, inner);
    if (panel.kind === "heatmap") {
      const row = panel.rows > 40 ? 9 : panel.rows > 24 ? 11 : 18;
      return Math.max(48, Math.min(420, panel.rows * row));
    }
    if (panel.kind === "bars" && panel.across) return panel.bars * 24;
    if (panel.low) return 84;
    return Math.max(190, Math.min(width * 0.36, 270));
  };
  const marginOf = (panel, width) => {
    if (panel.plain) {
      const beyond = (panel.rays || []).map((ray) => ray.text);
      const edge = Math.ceil(beyond.length ? widest(beyond, 40) + 4 : 10);
      return { l: edge, r: edge, t: edge, b: edge };
    }
    const limit = limitsOf(width, panel);
    const [xlabels, ylabels] = labelsOf(panel, width);
    const left = ylabels && ylabels.length ? widest(ylabels, limit.y) : 36;
    const right = hasScale(panel) ? (width < SCALE_NAMED ? 66 : 98) : 14;
    const inner = Math.max(width - left - right - 40, 40);
    const room = panel.square ? sideOf(panel, inner) : inner;
    const below = xlabels && xlabels.length ? widest(xlabels, limit.x) : 0;
    const turned = !panel.measured && below > 18 && (below + 8) * xlabels.length > room;
    const xlines = lined(panel.x.title, room);
    const ylines = lined(panel.y.title, innerHeight(panel, width, room));
    return {
      l: Math.ceil(left + 12 + (ylines.length ? 6 + LINE * ylines.length : 0)),
      r: right,
      t: panel.spans && panel.spans.length ? STRIP + 12 : 10,
      b: Math.ceil((turned ? below : 14) + 12 + (xlines.length ? 7 + LINE * xlines.length : 0)),
      turned,
      titles: { x: xlines.join("<br>"), y: ylines.join("<br>") },
    };
  };
  const shared = (panel) =>
    panel.kind === "lines" || (panel.kind === "heatmap" && !panel.square);
  const marginsOf = (panels, widths, stacked) => {
    /* panels above each other share their left and right ends, so that times line up */
    const margins = panels.map((panel, at) => marginOf(panel, widths[at]));
    const group = margins.filter((_, at) => shared(panels[at]));
    if (!stacked || group.length < 2) return margins;
    const l = Math.max(...group.map((margin) => margin.l));
    const r = Math.max(...group.map((margin) => margin.r));
    return margins.map((margin, at) => (shared(panels[at]) ? { ...margin, l, r } : margin));
  };
  const sizeOf = (panel, width, margin) => {
    const inner = Math.max(width - margin.l - margin.r, 60);
    const beside = margin.t + margin.b;
    const height = innerHeight(panel, width, inner) + beside;
    if (panel.kind === "heatmap" && panel.square) {
      return { width: sideOf(panel, inner) + margin.l + margin.r, height };
    }
    if (panel.kind === "network") return { width, height: Math.min(width, 620) };
    if (panel.kind === "points") {
      return { width, height: Math.max(300, Math.min(width * 0.8, 480)) };
    }
    return { width, height };
  };

  const axisBase = (theme) => ({
    color: theme.muted, gridcolor: theme.grid, linecolor: theme.line, zeroline: false,
    showline: true, ticks: "outside", ticklen: 4, tickcolor: theme.line, automargin: false,
    tickfont: { size: 11, color: theme.muted }, fixedrange: false, exponentformat: "power",
  });
  const titled = (title, theme) =>
    (title ? { title: { text: title, standoff: 8, font: { size: 12, color: theme.ink } } } : {});

  const rangeOfTraces = (panel, axis) => {
    if (panel[axis].range) return panel[axis].range;
    let low = Infinity;
    let high = -Infinity;
    for (const trace of panel.traces) {
      const held = (value) => {
        if (value < low) low = value;
        if (value > high) high = value;
      };
      const isValue = trace.type === "bar" && axis === (panel.across ? "x" : "y");
      const error = isValue && trace[`error_${axis}`];
      for (const [at, value] of Array.from(trace[axis] || []).entries()) {
        held(value);
        if (error) [value + error.array[at], value - error.arrayminus[at]].forEach(held);
      }
      if (isValue) held(0); /* where bars start */
    }
    return low < high ? [low, high] : [low - 1, high + 1];
  };

  const askedTicks = ([low, high], pixels) => {
    /* about as many ticks as there is room for; more where steps of 2, 5 or 10 would leave one, or
       two where short numbers have room for three */
    const left = (count) => {
      const rough = Math.abs(high - low) / count;
      const unit = 10 ** Math.floor(Math.log10(rough));
      /* a step that only rounding makes large enough is not counted on */
      const step = unit * ([2, 5, 10].find((each) => each * unit > rough * (1 + 1e-9)) || 20);
      return Math.floor(Math.max(low, high) / step) - Math.ceil(Math.min(low, high) / step) + 1;
    };
    let count = Math.max(2, Math.ceil(pixels / 60));
    while (count < 12 && (left(count) < 2 || (left(count) < 3 && count < pixels / 36))) count += 1;
    return count;
  };
  const shareTicks = (panel, [low, high], pixels) => {
    /* bars that end at 1 or below are of shares: brackets may stand above 1, and ticks may not */
    const [bars] = panel.traces;
    const [tall, error] = panel.across ? [bars.x, bars.error_x] : [bars.y, bars.error_y];
    const ends = Array.from(tall, (value, at) => value + (error?.array[at] || 0));
    if (high <= 1 || Math.max(...ends.filter(Number.isFinite)) > 1 + 1e-6) return { tickmode: "auto" };
    const step = [0.1, 0.2, 0.5].find((each) => (each / (high - low)) * pixels >= 36) || 1;
    const first = Math.ceil(low / step);
    return { tickmode: "array", tickvals: upTo(Math.floor(1 / step + 1e-9) - first + 1)
      .map((at) => Number(((first + at) * step).toFixed(1))) };
  };

  const layoutOf = (panel, { width, height }, margin, theme, zoom = {}) => {
    const plot = { width: width - margin.l - margin.r, height: height - margin.t - margin.b };
    const limit = limitsOf(width, panel);
    const xrange = zoom.x || rangeOfTraces(panel, "x");
    const yrange = zoom.y || panel.y.range;
    const [xlabels, ylabels] = labelsOf(panel, width);
    const slot = margin.turned ? 10.6 : widest(xlabels || [], limit.x) + 8;
    const layout = {
      width, height, autosize: false, showlegend: false, hovermode: "closest",
      margin: { l: margin.l, r: margin.r, t: margin.t, b: margin.b, pad: 0 },
      paper_bgcolor: theme.surface,
      plot_bgcolor: panel.kind === "heatmap" ? theme.missing : theme.surface,
      font: { family: FAMILY, size: 12, color: theme.ink },
      hoverlabel: { bgcolor: theme.ink, bordercolor: theme.ink, namelength: -1,
        font: { color: theme.surface, size: 12 } },
      xaxis: { ...axisBase(theme), ...titled(margin.titles?.x, theme),
        ...labelTicks(xlabels, plot.width, xrange, limit.x, panel.x0, panel.dx, slot),
        tickangle: margin.turned ? -90 : 0, showgrid: false,
        nticks: askedTicks(xrange, plot.width) },
      yaxis: { ...axisBase(theme), ...titled(margin.titles?.y, theme),
        ...labelTicks(ylabels, plot.height, yrange || [0, 1], limit.y) },
      shapes: [], annotations: [], dragmode: "zoom", separators: ".\u202f",
    };
    if (!(panel.ylabels && panel.ylabels.length)) layout.yaxis.automargin = true;
    if (panel.kind === "lines" || panel.kind === "heatmap") layout.xaxis.range = xrange;
    if (panel.x.whole) { /* counts have no halves */
      const fewest = (xrange[1] - xrange[0]) / Math.max(1, Math.floor(plot.width / 30));
      const dtick = [1, 2, 5, 10, 20].find((step) => step >= fewest) || Math.ceil(fewest);
      Object.assign(layout.xaxis, { tickmode: "linear", tick0: 0, dtick });
    }
    if (panel.kind === "bars") {
      layout[panel.across ? "yaxis" : "xaxis"].range = panel[panel.across ? "y" : "x"].range;
      const values = panel.across ? "x" : "y";
      layout[`${values}axis`].showgrid = true;
      if (panel[values].range) {
        layout[`${values}axis`].range = panel[values].range;
        const shown = zoom[values] || panel[values].range;
        Object.assign(layout[`${values}axis`],
          shareTicks(panel, shown, panel.across ? plot.width : plot.height));
      }
      if (panel.reference !== null) Object.assign(layout, referenceMarks(panel, theme));
    }
    if (panel.kind === "heatmap") {
      layout.yaxis.range = yrange;
      layout.yaxis.showgrid = false;
      if (!panel.ylabels.length) layout.yaxis.nticks = 6;
      if (!panel.ylabels.length && panel.rows === 1) {
        Object.assign(layout.yaxis, { showticklabels: false, ticks: "" }); /* nothing to number */
      }
    }
    if (panel.low) layout.yaxis.nticks = 5; /* of fewer, steps of 5 may leave one */
    if (panel.kind === "points") layout.xaxis.showgrid = true;
    if (panel.diagonal) layout.shapes.push(...diagonalMarks(panel, theme));
    if (panel.plain) {
      Object.assign(layout.xaxis, { visible: false });
      Object.assign(layout.yaxis, { visible: false, scaleanchor: "x" });
      layout.annotations.push(...rayNames(panel, theme));
    }
    if (panel.kind === "lines" || panel.kind === "heatmap") {
      const marks = spanMarks(panel, xrange, plot, theme);
      layout.shapes.push(...marks.shapes);
      layout.annotations.push(...marks.annotations);
      layout.annotations.push(...numbersOn(panel, xrange, plot, theme));
      layout.annotations.push(...valuesOn(panel, xrange, plot, theme));
    }
    layout.shapes.push(...cellFrames(panel, theme), ...markShapes(panel, theme));
    return layout;
  };

  const rayNames = (panel, theme) => {
    /* names outside a circle, each along its node's ray and never upside down */
    ruler.font = `10px ${FAMILY}`;
    return (panel.rays || []).map(({ x, y, angle, text }) => {
      const reach = 9 + ruler.measureText(text).width / 2;
      const turn = (angle * Math.PI) / 180;
      const left = Math.abs(angle) > 90;
      return {
        x, y, xref: "x", yref: "y", showarrow: false, text: escaped(text),
        font: { size: 10, color: theme.ink }, textangle: left ? 180 - angle : -angle,
        xanchor: "center", yanchor: "middle", borderpad: 0,
        xshift: Math.cos(turn) * reach, yshift: Math.sin(turn) * reach,
      };
    });
  };

  const numbersOn = (panel, range, plot, theme) => {
    /* categories are told by number too, where a run of cells has room for it */
    if (panel.kind !== "heatmap" || hasScale(panel) || panel.rows > 16) return [];
    if (plot.height / panel.rows < 13) return [];
    const found = [];
    const pixels = (plot.width * panel.dx) / Math.abs(range[1] - range[0]);
    panel.traces[0].z.forEach((row, y) => {
      let start = 0;
      for (let at = 1; at <= row.length; at += 1) {
        if (at < row.length && row[at] === row[start]) continue;
        const x = panel.x0 + ((start + at - 1) / 2) * panel.dx;
        const inside = x > Math.min(...range) && x < Math.max(...range);
        if (row[start] >= 0 && (at - start) * pixels >= 12 && inside) {
          found.push({ x, y, text: String(row[start]), showarrow: false,
            font: { size: 10, color: theme.texts[row[start] % theme.texts.length] } });
        }
        start = at;
      }
    });
    return found.length <= 400 ? found : [];
  };

  const colourOn = ({ zmin, zmax, colorscale }, value, theme) => {
    /* the colour of a value; 0 is neutral on a diverging scale, whichever side reaches further */
    const reach = Math.max(Math.abs(zmin), Math.abs(zmax)) || 1;
    const diverging = colorscale === "@diverging";
    const at = diverging ? 0.5 + value / (2 * reach) : (value - zmin) / (zmax - zmin || 1);
    const scale = diverging ? theme.diverging : theme.sequential;
    return mixed(scale, Math.min(1, Math.max(0, at)));
  };

  const FEW_CELLS = 64;
  const decimals = ({ z, zmin, zmax }) => {
    /* as pipeline/viz/heatmap.py: two, fewer of large values, more of small ones, none of counts */
    if (z.every((row) => row.every((value) => Number.isNaN(value) || value % 1 === 0))) return 0;
    const reach = Math.max(Math.abs(zmin), Math.abs(zmax)) || 1;
    const order = Math.floor(Math.log10(reach) + 1e-9);
    return Math.max(0, Math.min(6, 2 - (order < -1 ? order + 1 : Math.max(0, order))));
  };
  const valuesOn = (panel, range, plot, theme) => {
    /* a few cells tell their values in words too, where each has room for its own */
    if (panel.kind !== "heatmap" || !hasScale(panel)) return [];
    if (panel.rows * panel.columns > FEW_CELLS || plot.height / panel.rows < 15) return [];
    const [trace] = panel.traces;
    const digits = decimals(trace);
    const told = (value) => /* a nothing has no sign */
      value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "\u2212");
    const inkOn = (value) => {
      const light = colourOn(trace, value, theme).match(/\d+/g).reduce(
        (sum, part, index) => sum + [0.2126, 0.7152, 0.0722][index] * (part / 255) ** 2.2, 0);
      return light > 0.18 ? "#000000" : "#ffffff";
    };
    const found = trace.z.flatMap((row, y) => [...row].flatMap((value, at) =>
      (Number.isFinite(value) ? [{ x: panel.x0 + at * panel.dx, y, text: told(value),
        showarrow: false, font: { size: 11, color: inkOn(value) } }] : [])));
    const room = (plot.width * panel.dx) / Math.abs(range[1] - range[0]);
    ruler.font = `11px ${FAMILY}`;
    const longest = Math.max(0, ...found.map(({ text }) => ruler.measureText(text).width));
    return longest + 6 <= room ? found : [];
  };

  const referenceMarks = (panel, theme) => {
    const at = panel.reference;
    const line = { color: theme.ink, width: 1.2, dash: "dash" };
    const shape = (type, from, to, style) => (panel.across
      ? { type, xref: "x", yref: "paper", x0: from, x1: to, y0: 0, y1: 1, ...style }
      : { type, xref: "paper", yref: "y", x0: 0, x1: 1, y0: from, y1: to, ...style });
    const shapes = [shape("line", at, at, { line })];
    if (panel.referenceTo !== null) {
      const to = panel.referenceTo;
      shapes.push(shape("line", to, to, { line }), shape("rect", at, to,
        { layer: "below", line: { width: 0 }, fillcolor: withAlpha(theme.ink, 0.12) }));
    }
    return { shapes };
  };

  const diagonalMarks = (panel, theme) => {
    /* equal values, as far as both axes have some */
    const [x, y] = [rangeOfTraces(panel, "x"), rangeOfTraces(panel, "y")];
    const start = Math.max(x[0], y[0]);
    const stop = Math.min(x[1], y[1]);
    if (!(start < stop)) return [];
    return [{ type: "line", xref: "x", yref: "y", x0: start, y0: start, x1: stop, y1: stop,
      layer: "below", line: { color: theme.muted, width: 1.2, dash: "dash" } }];
  };

  const mixed = (scale, at) => {
    const after = Math.max(1, scale.findIndex(([place]) => place >= at));
    const [p0, c0] = scale[after - 1];
    const [p1, c1] = scale[after];
    const share = (at - p0) / (p1 - p0);
    const part = (hex, from) => parseInt(hex.slice(from, from + 2), 16);
    const channel = (from) => Math.round(part(c0, from) * (1 - share) + part(c1, from) * share);
    return `rgb(${channel(1)},${channel(3)},${channel(5)})`;
  };
  const cropped = (scale, low, high) => {
    /* the part of the diverging scale between two values, with 0 in the neutral colour */
    const reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
    return Array.from({ length: 33 }, (_, step) => {
      const at = step / 32;
      const value = low + at * (high - low);
      return [at, mixed(scale, 0.5 + value / (2 * reach))];
    });
  };

  const scaleTitle = (panel) => escaped(short(panel.valueTitle, 44));
  const scaleNamed = (panel, size, margin) => size.width >= SCALE_NAMED
    && widest([scaleTitle(panel)], 50) < size.height - margin.t - margin.b;
  const finishTrace = (trace, panel, theme, size, margin) => {
    if (trace.type !== "heatmap") return trace;
    const count = theme.groups.length;
    const z = trace.showscale ? trace.z
      : trace.z.map((row) => row.map((value) => (value < 0 ? -1 : value % count)));
    const tall = size.height - margin.t - margin.b;
    const lopsided = panel.traces[0].colorscale === "@diverging" && trace.zmin !== -trace.zmax;
    return {
      ...trace,
      z,
      colorscale: lopsided ? cropped(theme.diverging, trace.zmin, trace.zmax) : trace.colorscale,
      colorbar: {
        thickness: 11, len: 1, lenmode: "fraction", outlinewidth: 0, xpad: 10, ypad: 0,
        tickfont: { size: 11, color: theme.muted }, ticks: "",
        nticks: Math.max(2, Math.min(5, Math.floor(tall / 16))),
        title: { text: scaleNamed(panel, size, margin) ? scaleTitle(panel) : "", side: "right",
          font: { size: 12, color: theme.ink } },
      },
    };
  };

  /* ---- names chosen by the reader, marked wherever they are shown ---- */
  let chosen = "";
  let marked = new Set(); /* it, and names of units that stand for it or that it stands for */
  const isMarked = (name) => marked.has(name);
  const merged = Object.entries(JSON.parse(document.getElementById("merged").textContent));
  const withMerged = (name) => new Set([name, ...merged.flatMap(([whole, parts]) =>
    (name === whole ? parts : parts.includes(name) ? [whole] : []))]);
  const REMARK = " \u00b7 "; /* these two as in pipeline/core/parts.py */
  const PAIR = " \u2192 ";
  const bare = (label) =>
    /* the names in a label, without remarks and the sign of what is drawn upside down; a number
       names nothing: groups, bins and surrogates have one too */
    label.split(REMARK)[0].split(PAIR).map((name) => name.replace(/^\u2212/, ""))
      .filter((name) => name !== "" && !Number.isFinite(Number(name)));
  const plainText = (text) =>
    text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  const labelAt = {
    /* label of the thing at a point of a panel */
    heatmap: (panel, point) => {
      const [row, column] = point.pointIndex;
      return panel.ylabels[row] ?? panel.xlabels[column] ?? "";
    },
    points: (_, point) => plainText(point.text ?? ""),
    network: (_, point) => plainText(point.customdata ?? ""),
    bars: (_, point) => plainText(point.text ?? ""),
    lines: (_, point) => plainText(point.data.name ?? ""),
  };
  const pointNames = (panel, trace) =>
    (panel.kind === "network" ? trace.customdata : trace.text) || [];
  const namesIn = (panel) => {
    const found = new Set([...(panel.xlabels || []), ...(panel.ylabels || [])]);
    for (const trace of panel.traces) {
      if (panel.kind === "lines" && trace.name) found.add(plainText(trace.name));
      if (panel.kind === "points" || panel.kind === "network") {
        for (const name of pointNames(panel, trace)) found.add(plainText(name));
      }
    }
    return new Set([...found].flatMap(bare));
  };
  const placesOf = (labels) =>
    (labels || []).flatMap((label, at) => (bare(label).some(isMarked) ? [at] : []));
  const frame = (axis, low, high, theme) => {
    const other = axis === "x" ? "y" : "x";
    return { type: "rect", [`${axis}ref`]: axis, [`${axis}0`]: low, [`${axis}1`]: high,
      [`${other}ref`]: "paper", [`${other}0`]: 0, [`${other}1`]: 1,
      line: { color: theme.ink, width: 1.75 } };
  };
  const cellFrames = (panel, theme) => (panel.outlined || []).flatMap(([row, column]) =>
    /* a line on a wider one, so that it is seen on every colour */
    [[theme.surface, 4.5], [theme.ink, 2]].map(([color, width]) => ({ type: "rect",
      xref: "x", x0: panel.x0 + (column - 0.5) * panel.dx, x1: panel.x0 + (column + 0.5) * panel.dx,
      yref: "y", y0: row - 0.5, y1: row + 0.5, line: { color, width } })));
  const markShapes = (panel, theme) => {
    if (!chosen || !["heatmap", "bars"].includes(panel.kind)) return [];
    const [x0, dx] = panel.kind === "heatmap" ? [panel.x0, panel.dx] : [0, 1];
    return [
      ...placesOf(panel.ylabels).map((at) => frame("y", at - 0.5, at + 0.5, theme)),
      ...placesOf(panel.xlabels).map((at) =>
        frame("x", x0 + (at - 0.5) * dx, x0 + (at + 0.5) * dx, theme)),
    ];
  };
  const markTraces = (panel, traces, theme) => {
    if (!chosen) return traces;
    const named = (trace) => bare(plainText(trace.name || "")).some(isMarked);
    if (panel.kind === "lines" && traces.some(named)) {
      return traces.map((trace) => (named(trace)
        ? { ...trace, line: { ...trace.line, width: 3.5 } } : { ...trace, opacity: 0.3 }));
    }
    if (panel.kind !== "points" && panel.kind !== "network") return traces;
    const rings = traces.flatMap((trace) => placesOf(pointNames(panel, trace).map(plainText))
      .map((at) => [trace.x[at], trace.y[at]]));
    if (!rings.length) return traces;
    return [...traces, { type: "scatter", mode: "markers", hoverinfo: "skip",
      x: rings.map(([x]) => x), y: rings.map(([, y]) => y),
      marker: { symbol: "circle-open", size: 18, color: theme.ink, line: { width: 2.5 } } }];
  };

  /* ---- drawing ---- */
  const figures = new Map();
  const CONFIG = { displaylogo: false, responsive: false, typesetMath: false,
    displayModeBar: false, doubleClick: "reset", showTips: false };

  const decode = async (holder) => {
    const state = figures.get(holder);
    state.content ??= unpack(holder.querySelector("script.packed").textContent.trim())
      .then((text) => {
        const content = JSON.parse(text);
        const arrays = content.arrays.map(arrayOf);
        state.panels = content.panels.map((panel) => resolve(panel, arrays));
        return state.panels;
      });
    return state.content;
  };

  const tracesOf = (panel, size, margin, theme) => markTraces(panel, panel.traces.map((trace) =>
    finishTrace(painted(trace, theme, ""), panel, theme, size, margin)), theme);

  const laidOut = (holder) => {
    /* where each panel of a figure goes, and how large it will be; nothing is drawn */
    const { panels } = figures.get(holder);
    const boxes = [...holder.querySelectorAll(".plot")];
    const widths = boxes.map((box) => (printing.on ? PRINT_WIDTH : box.clientWidth));
    const stacked = boxes.every((box) => box.offsetLeft === boxes[0].offsetLeft);
    const margins = marginsOf(panels, widths, stacked);
    return panels.map((panel, at) => ({
      box: boxes[at], panel, margin: margins[at], size: sizeOf(panel, widths[at], margins[at]),
    }));
  };
  const reserve = ({ box, panel, size, margin }) => {
    box.style.minHeight = `${size.height}px`;
    const above = box.previousElementSibling;
    if (above && above.matches(".colour-means")) {
      above.hidden = hasScale(panel) && scaleNamed(panel, size, margin);
    }
  };
  const drawPanel = (place) => {
    const { box, panel, size, margin } = place;
    const theme = themes[appearance()];
    reserve(place);
    Plotly.react(box, tracesOf(panel, size, margin, theme),
      layoutOf(panel, size, margin, theme), CONFIG);
    box.current = { size, margin };
    if (box.drawn) return;
    box.drawn = true;
    box.on("plotly_click", ({ points }) => choose(bare(labelAt[panel.kind](panel, points[0]))[0] ?? ""));
    box.on("plotly_relayout", (event) => rezoom(box, panel, event));
    if (panel.kind === "heatmap") tooltip(box, panel);
  };

  const rezoom = (box, panel, event) => {
    /* after zooming: labels as dense as fits, spans clipped to what is shown */
    if (!Object.keys(event).some((key) => /axis\.(range|autorange)/.test(key))) return;
    const theme = themes[appearance()];
    const full = box._fullLayout;
    const zoom = { x: full.xaxis.range.slice(), y: full.yaxis.range.slice() };
    const { size, margin } = box.current;
    const layout = layoutOf(panel, size, margin, theme, zoom);
    const change = { shapes: layout.shapes, annotations: layout.annotations };
    for (const axis of ["xaxis", "yaxis"]) {
      for (const key of ["tickmode", "tickvals", "ticktext"]) {
        if (layout[axis][key]) change[`${axis}.${key}`] = layout[axis][key];
      }
    }
    Plotly.update(box, {}, change);
  };

  const tip = document.getElementById("tip");
  const tooltip = (box, panel) => {
    const nameOf = (labels, at, fallback) => (labels.length ? labels[at] : fallback);
    const z = panel.traces[0].z;
    box.on("plotly_hover", (event) => {
      const [row, column] = event.points[0].pointIndex;
      const value = z[row][column];
      const x = panel.x0 + column * panel.dx;
      tip.textContent = `${nameOf(panel.ylabels, row, row)} \u00b7 `
        + `${nameOf(panel.xlabels, column, Number(x.toPrecision(6)))}: `
        + (Number.isNaN(value) ? panel.missingTitle : Number(value.toPrecision(4)));
      tip.hidden = false;
      const left = Math.min(event.event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      tip.style.left = `${left}px`;
      tip.style.top = `${event.event.clientY + 16}px`;
    });
    box.on("plotly_unhover", () => { tip.hidden = true; });
  };

  const drawNow = (holder) => {
    laidOut(holder).forEach(drawPanel);
    holder.dataset.drawn = "yes";
  };
  const draw = async (holder) => {
    try {
      await loadLibrary();
      await decode(holder);
      drawNow(holder);
    } catch (error) {
      holder.dataset.drawn = "failed";
      const note = document.createElement("p");
      note.className = "box failed";
      note.textContent = "This figure could not be drawn by this browser. Its numbers are in the "
        + `files beside this report. (${error.message})`;
      holder.querySelector(".panels").replaceChildren(note);
    }
  };
  const redrawAll = () => {
    for (const holder of figures.keys()) if (holder.dataset.drawn === "yes") drawNow(holder);
  };
  const reserveAll = () => {
    /* sizes are read before any is set, so that the page is laid out once */
    const waiting = [...figures].filter(([holder, { panels }]) => panels && !holder.dataset.drawn);
    waiting.flatMap(([holder]) => laidOut(holder)).forEach(reserve);
  };

  const markedNote = document.getElementById("marked");
  const choose = (name) => {
    /* the same name again unmarks it */
    chosen = name === chosen ? "" : name;
    marked = chosen === "" ? new Set() : withMerged(chosen);
    const rows = markRows();
    let shown = 0;
    for (const [holder, { panels }] of figures) {
      let named = false;
      for (const title of holder.querySelectorAll("h4")) {
        /* a panel of one unit, or of a pair, has its name before what else is told */
        const own = bare(title.textContent.split(": ")[0]).some(isMarked);
        title.classList.toggle("marked", own);
        named ||= own;
      }
      named ||= (panels || []).some((panel) => [...namesIn(panel)].some(isMarked));
      shown += named;
    }
    markedNote.hidden = !chosen;
    const [, ...others] = marked;
    const along = others.length ? ` (with ${others.join(" and ")})` : "";
    markedNote.querySelector("span").textContent = chosen
      && `${chosen}${along} is marked in ${shown} figure${shown === 1 ? "" : "s"}`
      + (rows ? ` and ${rows} table row${rows === 1 ? "" : "s"}.` : ".");
    redrawAll();
  };
  markedNote.querySelector("button").addEventListener("click", () => choose(""));

  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "400px 0px" });

  for (const holder of document.querySelectorAll("figure.drawn")) {
    figures.set(holder, {});
    watch.observe(holder);
  }
  /* every figure gets its room before it is drawn, so that places on the page stay where they are */
  const reserved = (async () => {
    for (const holder of figures.keys()) {
      await decode(holder).catch(() => null); /* it reports its own failure when it is drawn */
    }
    reserveAll();
    document.querySelector(":target")?.scrollIntoView({ behavior: "instant" });
  })();

  /* ---- small pictures on the first screen ---- */
  const extent = (list) => {
    let low = Infinity;
    let high = -Infinity;
    for (const values of list) {
      for (const value of values || []) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return low < high ? [low, high] : [low - 1, low + 1];
  };
  const inkOf = (colour, theme, fallback) =>
    (typeof colour === "string" && colour.startsWith("@") ? colourOf(colour, theme) : fallback);
  const sketchHeat = (pen, panel, theme, width, height) => {
    const trace = panel.traces[0];
    const z = trace.z;
    const categorical = !trace.showscale;
    const rows = Math.min(z.length, height);
    const columns = Math.min(z[0]?.length || 0, width);
    for (let r = 0; r < rows; r += 1) {
      for (let c = 0; c < columns; c += 1) {
        const value = z[Math.floor((r * z.length) / rows)][Math.floor((c * z[0].length) / columns)];
        const group = theme.groups[value % theme.groups.length];
        pen.fillStyle = Number.isNaN(value) ? theme.missing
          : !categorical ? colourOn(trace, value, theme) : value < 0 ? theme.surface : group;
        pen.fillRect(Math.floor((c * width) / columns), Math.floor((r * height) / rows),
          Math.ceil(width / columns), Math.ceil(height / rows));
      }
    }
  };
  const sketch = (canvas, panel) => {
    const theme = themes[appearance()];
    const pen = canvas.getContext("2d");
    const { width, height } = canvas;
    pen.fillStyle = theme.surface;
    pen.fillRect(0, 0, width, height);
    if (panel.kind === "heatmap") { sketchHeat(pen, panel, theme, width, height); return; }
    const xs = extent(panel.traces.map((trace) => trace.x));
    const ys = extent(panel.traces.map((trace) => trace.y));
    if (panel.kind === "bars") {
      const values = panel.across ? xs : ys;
      values[0] = Math.min(0, values[0]);
      values[1] = Math.max(0, values[1]);
    }
    const edge = 6;
    const px = (x) => edge + ((x - xs[0]) / (xs[1] - xs[0])) * (width - 2 * edge);
    const py = (y) => height - edge - ((y - ys[0]) / (ys[1] - ys[0])) * (height - 2 * edge);
    for (const trace of panel.traces) {
      if (!trace.x || !trace.y || trace.fill) continue;
      const paint = inkOf(trace.line?.color || trace.marker?.color, theme, theme.groups[0]);
      pen.strokeStyle = pen.fillStyle = Array.isArray(paint) ? theme.groups[0] : paint;
      if (trace.type === "bar") {
        const count = trace.x.length;
        const share = panel.traces[0].width;
        const thick = Math.max(1, (share * ((panel.across ? height : width) - 2 * edge)) / count);
        for (let at = 0; at < count; at += 1) {
          const along = edge + ((at + 0.5) * ((panel.across ? height : width) - 2 * edge)) / count;
          if (panel.across) {
            pen.fillRect(Math.min(px(0), px(trace.x[at])), along - thick / 2,
              Math.abs(px(trace.x[at]) - px(0)), thick);
          } else {
            pen.fillRect(along - thick / 2, Math.min(py(0), py(trace.y[at])), thick,
              Math.abs(py(trace.y[at]) - py(0)));
          }
        }
      } else if ((trace.mode || "").includes("markers")) {
        for (let at = 0; at < trace.x.length; at += 1) {
          pen.beginPath();
          pen.arc(px(trace.x[at]), py(trace.y[at]), 2.5, 0, 7);
          pen.fill();
        }
      } else {
        pen.globalAlpha = panel.kind === "network" ? 0.4 : 1;
        pen.lineWidth = 1.25;
        pen.beginPath();
        let down = false;
        for (let at = 0; at < trace.x.length; at += 1) {
          const known = Number.isFinite(trace.y[at]) && trace.y[at] !== null && trace.x[at] !== null;
          if (known) pen[down ? "lineTo" : "moveTo"](px(trace.x[at]), py(trace.y[at]));
          down = known;
        }
        pen.stroke();
        pen.globalAlpha = 1;
      }
    }
  };
  const sketchAll = () => {
    for (const link of document.querySelectorAll("a.thumb")) {
      const state = figures.get(document.getElementById(link.dataset.figure));
      if (!state?.panels) continue;
      sketch(link.querySelector("canvas"), state.panels[0]);
      link.dataset.drawn = "yes";
    }
  };
  for (const link of document.querySelectorAll("a.thumb")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      history.replaceState(null, "", link.href);
      arrive(document.getElementById(link.dataset.figure));
    });
  }

  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 300));
  idle(async () => {
    await reserved;
    sketchAll();
    /* the library is unpacked early, so that printing can draw at once */
    if (figures.size) await loadLibrary().catch(() => null); /* as above */
    for (const holder of tables.keys()) {
      await rowsOf(holder).catch(() => null); /* the page's own rows stay */
    }
    root.dataset.ready = "yes";
  });

  const boxes = [...document.querySelectorAll(".tabled .scroll")];
  const markWide = (some = boxes) => {
    /* widths are read before any is marked, so that the page is laid out once */
    const wide = some.map((box) => box.scrollWidth > box.clientWidth + 1);
    some.forEach((box, at) => box.toggleAttribute("data-wide", wide[at]));
  };
  markWide();
  for (const box of boxes) {
    /* what is far from the screen has no width before it is laid out */
    box.addEventListener("contentvisibilityautostatechange", () => markWide([box]));
  }

  let pending = 0;
  let lastWidth = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === lastWidth || printing.on) return;
    lastWidth = innerWidth;
    clearTimeout(pending);
    pending = setTimeout(() => { redrawAll(); reserveAll(); markWide(); }, 150);
  });
  const rethemed = () => { showAppearance(); redrawAll(); sketchAll(); };
  system.addEventListener("change", rethemed);
  toggle.addEventListener("click", () => {
    root.dataset.theme = appearance() === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
    rethemed();
  });
  showAppearance();

  addEventListener("beforeprint", () => {
    printing.on = true;
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      details.dataset.closed = "yes";
    }
    turnAll();
    fitTables();
    if (!window.Plotly) return;
    for (const [holder, state] of figures) if (state.panels) drawNow(holder);
  });
  addEventListener("afterprint", () => {
    printing.on = false;
    for (const details of document.querySelectorAll("details[data-closed]")) {
      details.open = false;
      delete details.dataset.closed;
    }
    unfitTables();
    turnAll();
    redrawAll();
  });

  /* ---- numbers as CSV ---- */
  const single = (value) => {
    for (let digits = 6; digits < 10; digits += 1) {
      const text = value.toPrecision(digits);
      if (Math.fround(Number(text)) === value) return String(Number(text));
    }
    return String(value);
  };
  const quoted = (text) =>
    (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cell = (value, narrow) => {
    if (typeof value === "number") {
      return Number.isFinite(value) ? (narrow ? single(value) : String(value)) : "";
    }
    /* what a spreadsheet would run gets an apostrophe, as in files */
    const risky = /^\s*[=+\-@]|^[\t\r]/.test(value) && Number.isNaN(Number(value));
    return quoted(risky ? `'${value}` : value);
  };
  const isNarrow = (column) => column instanceof Float32Array;
  const csvOf = ({ csv }) => {
    const lines = [];
    if (csv.form === "matrix") {
      lines.push([csv.corner, ...csv.columns].map((value) => cell(value)).join(","));
      csv.values.forEach((row, at) => lines.push(
        [cell(csv.rows[at]), ...Array.from(row, (value) => cell(value, true))].join(",")));
    } else {
      const names = csv.columns.map(([name]) => cell(name));
      lines.push(names.join(","));
      const count = csv.columns[0][1].length;
      for (let at = 0; at < count; at += 1) {
        lines.push(csv.columns.map(([, column]) => cell(column[at], isNarrow(column))).join(","));
      }
    }
    return lines.join("\n") + "\n";
  };
  const MOST_SPANS = 16; /* labels of stretches of time and */
  const MOST_CURVES = 12; /* curves that have an entry each, as in the legends on the page */
  const withKey = (panel, traces, theme) => {
    /* the legend, which on the page stands beside the figure, as traces and named marks in it */
    const only = (name, look) => ({ type: "scatter", name: escaped(name), x: [null], y: [null],
      showlegend: true, ...look });
    const square = (name, color, line) => only(name,
      { mode: "markers", marker: { symbol: "square", size: 11, color, line } });
    const named = traces.filter((trace) => trace.name);
    const groups = new Map();
    const oneEach = panel.kind !== "lines" || named.length <= MOST_CURVES;
    for (const trace of named) {
      const look = oneEach ? groups.size : `${trace.line.color} ${trace.line.dash}`;
      groups.set(look, [...(groups.get(look) || []), trace]);
    }
    const told = new Map();
    for (const [first, ...more] of groups.values()) {
      const last = more.at(-1);
      told.set(first, first.name + (last ? ` \u2026 ${last.name} (${more.length + 1} curves)` : ""));
    }
    const alone = panel.kind === "lines" && named.length < 2;
    const keyed = traces.map((trace) => (told.has(trace) && !alone
      ? { ...trace, name: told.get(trace), showlegend: true } : { ...trace, showlegend: false }));
    if (panel.kind === "heatmap") {
      const flat = panel.traces[0].z.flatMap((row) => [...row]);
      const kinds = hasScale(panel) ? [] : [...new Set(flat)].filter((value) => value >= -1);
      for (const value of kinds.sort((a, b) => a - b)) {
        keyed.push(value < 0 ? square("none", theme.surface, { width: 1, color: theme.muted })
          : square(String(value), theme.groups[value % theme.groups.length]));
      }
      if (flat.some(Number.isNaN)) keyed.push(square(panel.missingTitle, theme.missing));
      if (panel.outlined.length) {
        keyed.push(square(panel.outlinedTitle, theme.surface, { width: 2, color: theme.ink }));
      }
    }
    if (panel.kind === "network" && traces.some(({ line }) => line?.dash === "dot")) {
      for (const [name, dash] of [["positive", "solid"], ["negative", "dot"]]) {
        keyed.push(only(name, { mode: "lines", line: { color: theme.ink, width: 1.5, dash } }));
      }
    }
    if (panel.referenceLabel && panel.reference !== null) {
      keyed.push(only(panel.referenceLabel,
        { mode: "lines", line: { color: theme.ink, width: 1.2, dash: "dash" } }));
    }
    const spans = new Map((panel.spans || []).map(({ place, label }) => [place, label]));
    if (spans.size <= MOST_SPANS) {
      for (const [place, label] of [...spans].sort(([a], [b]) => a - b)) {
        const colour = theme.groups[place % theme.groups.length];
        keyed.push(square(`${place + 1} ${label}`, withAlpha(colour, 0.32)));
      }
    }
    return keyed;
  };
  const PNG_SCALE = 3; /* points of a saved picture for one of the page */
  const LONGEST_SIDE = 16384; /* of a canvas: browsers leave larger ones empty */
  const pictureOf = async (holder, place, format) => {
    /* as on the page, in the light appearance, which is that of papers */
    await loadLibrary();
    const panel = (await decode(holder))[place];
    const box = holder.querySelectorAll(".plot")[place];
    const width = box.clientWidth;
    const plain = marginOf(panel, width);
    const bare = sizeOf(panel, width, plain);
    const theme = themes.light;
    const data = withKey(panel, tracesOf(panel, bare, plain, theme), theme);
    /* room for the title above the plot, and for the legend below it */
    const figure = holder.querySelector("h3").textContent.trim();
    const named = panel.title && panel.title !== figure ? `${figure}: ${panel.title}` : figure;
    const title = lined(escaped(named), (bare.width - 20) * (12 / 14));
    const names = data.filter(({ showlegend }) => showlegend).map(({ name }) => plainText(name));
    ruler.font = `12px ${FAMILY}`;
    const entry = 6 + Math.max(0, ...names.map((name) => ruler.measureText(name).width));
    const across = Math.max(1, Math.floor((bare.width - 20) / (entry + 45)));
    const [above, below] = [title.length * 19 + 10,
      names.length ? Math.ceil(names.length / across) * 19 + 14 : 0];
    const margin = { ...plain, t: plain.t + above, b: plain.b + below };
    const size = { ...bare, height: bare.height + above + below };
    const plot = { width: size.width - margin.l - margin.r, height: bare.height - plain.t - plain.b };
    const layout = layoutOf(panel, size, margin, theme);
    layout.annotations.push({ text: title.join("<br>"), font: { size: 14, color: theme.ink },
      xref: "paper", x: 0, xanchor: "left", xshift: 10 - margin.l, align: "left", showarrow: false,
      yref: "paper", y: 1, yanchor: "bottom", yshift: plain.t, borderpad: 0 });
    layout.showlegend = names.length > 0;
    layout.legend = { orientation: "h", x: (10 - margin.l) / plot.width, xanchor: "left",
      y: -plain.b / plot.height, yanchor: "top", entrywidth: entry, entrywidthmode: "pixels",
      font: { size: 12, color: theme.ink } };
    const address = await Plotly.toImage({ data, layout }, { format, ...size, scale: format === "png" ? PNG_SCALE : 1 });
    return { ...size, content: address.slice(address.indexOf(",") + 1) };
  };
  const pngBlob = (base64) => new Blob([bytesOf(base64)], { type: "image/png" });
  const svgBlob = (text) => new Blob([text], { type: "image/svg+xml" });
  const imageOf = async (button) => {
    const { image: format, place } = button.dataset;
    const { content } = await pictureOf(button.closest("figure"), Number(place), format);
    return format === "png" ? pngBlob(content)
      : svgBlob(decodeURIComponent(content));
  };
  const panelsOf = async (holder, format) => {
    /* pictures of all panels with their places, beside and below each other as on the page */
    const tops = [...holder.querySelectorAll(".panel")].map((panel) => panel.offsetTop);
    const parts = [];
    let [x, y, widest, tallest] = [0, 0, 0, 0];
    for (const [place, top] of tops.entries()) {
      if (place && top !== tops[place - 1]) [x, y, tallest] = [0, y + tallest, 0];
      const part = { ...await pictureOf(holder, place, format), x, y };
      parts.push(part);
      x += part.width;
      [widest, tallest] = [Math.max(widest, x), Math.max(tallest, part.height)];
    }
    return { parts, width: widest, height: y + tallest };
  };
  const wholeOf = async (button) => {
    /* all panels in one file */
    const format = button.dataset.whole;
    const { parts, width, height } = await panelsOf(button.closest("figure"), format);
    if (format === "svg") {
      const placed = parts.map(({ content, x, y }) => decodeURIComponent(content)
        .replace("<svg ", `<svg x="${x}" y="${y}" `));
      const size = `width="${width}" height="${height}"`;
      return svgBlob(`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${placed.join("")}</svg>`);
    }
    const scale = Math.min(PNG_SCALE, LONGEST_SIDE / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.round(scale * width), Math.round(scale * height));
    const context = canvas.getContext("2d");
    context.fillStyle = themes.light.surface;
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const part of parts) {
      const picture = await createImageBitmap(pngBlob(part.content));
      context.drawImage(picture, ...[part.x, part.y, part.width, part.height].map((side) => scale * side));
      picture.close();
    }
    return canvas.convertToBlob({ type: "image/png" });
  };
  const save = (content, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const stripOf = (button) => {
    /* the picture of a film, in which its frames stand beside each other */
    const { backgroundImage } = button.closest(".film").querySelector(".screen").style;
    const [, content] = /base64,([^")]*)/.exec(backgroundImage);
    return pngBlob(content);
  };
  const csvOfPixels = async (button) => {
    const picture = await createImageBitmap(stripOf(button), { colorSpaceConversion: "none" });
    const { height } = picture;
    const context = new OffscreenCanvas(picture.width, height).getContext("2d");
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, picture.width, height);
    const { pixels, greys, title } = button.dataset;
    const width = picture.width / Number(pixels);
    const lines = ["film,frame,y,x,value"];
    for (let frame = 0; frame < Number(pixels); frame += 1) {
      for (let at = 0; at < height * width; at += 1) {
        const [y, x] = [Math.floor(at / width), at % width];
        const grey = data[4 * (y * picture.width + frame * width + x)] / 255;
        /* its step of grey: some browsers add noise to what a page reads from a picture */
        const value = Math.round(grey * (greys - 1)) / (greys - 1);
        lines.push(`${cell(title)},${frame + 1},${y + 1},${x + 1},${Number(value.toFixed(4))}`);
      }
    }
    return lines.join("\n") + "\n";
  };
  document.addEventListener("click", async (event) => {
    const csv = event.target.closest("button[data-csv]");
    if (csv) {
      const panels = await decode(csv.closest("figure"));
      const text = csvOf(panels[Number(csv.dataset.csv)]);
      save(new Blob([text], { type: "text/csv" }), csv.dataset.file);
    }
    const listed = event.target.closest("button[data-rows]");
    if (listed) {
      const state = await rowsOf(document.getElementById(listed.dataset.rows));
      save(new Blob([csvOfRows(state)], { type: "text/csv" }), listed.dataset.file);
    }
    const image = event.target.closest("button[data-image]");
    if (image) save(await imageOf(image), image.dataset.file);
    const whole = event.target.closest("button[data-whole]");
    if (whole) save(await wholeOf(whole), whole.dataset.file);
    const strip = event.target.closest("button[data-strip]");
    if (strip) save(stripOf(strip), strip.dataset.file);
    const pixels = event.target.closest("button[data-pixels]");
    if (pixels) save(new Blob([await csvOfPixels(pixels)], { type: "text/csv" }), pixels.dataset.file);
    const copy = event.target.closest("button[data-copy]");
    if (copy) copyText(copy);
  });

  const copyText = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const said = button.parentElement.querySelector("[role=status]");
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      said.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      said.textContent = "Selected; press Ctrl+C";
    }
  };

  /* ---- tables: sorted by a heading, filtered, turned to further rows, and as CSV ---- */
  const FILTERED = 12; /* rows from which a table can be filtered */
  const MOST_PRINTED = 500;
  const collator = new Intl.Collator(undefined, { numeric: true });
  const NONE = "\u2013";
  const tables = new Map();
  const upTo = (count) => Array.from({ length: count }, (_, at) => at);
  for (const holder of document.querySelectorAll(":has(> script.rows)")) {
    const table = holder.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const heads = [...table.tHead.rows[0].cells];
    /* order: the rows that the filter leaves; sorted: all of them */
    tables.set(holder, { holder, table, rows, heads, count: rows.length, first: 0, words: [],
      sorted: upTo(rows.length), order: upTo(rows.length) });
  }
  const rowsOf = async (holder) => {
    const state = tables.get(holder);
    state.content ??= unpack(holder.querySelector("script.rows").textContent.trim())
      .then((text) => {
        state.columns = JSON.parse(text);
        state.count = state.columns[0].saved.length;
        state.texts = state.heads.map((_, column) => textsOf(state, column));
        state.sorted = state.order = upTo(state.count);
        if (state.count > state.rows.length) addPager(state);
        return state;
      });
    return state.content;
  };
  const withRows = (state, work) => {
    if (state.columns) work(state);
    else rowsOf(state.holder).then(work);
  };
  const textsOf = ({ rows, columns }, column) => {
    /* what the page came with, and behind it what it did not */
    const { saved, shown } = columns[column];
    return [...rows.map((row) => row.cells[column].textContent.trim()),
      ...(shown || saved.slice(rows.length).map((text) => text || NONE))];
  };
  const textAt = ({ rows, texts }, at, column) =>
    (texts ? texts[column][at] : rows[at].cells[column].textContent.trim());
  const breakable = (text) => /* as the rows that came with the page */
    text.split(/(?<=[/_\\])(?=[^/_\\])/).flatMap((part, at) =>
      (at ? [document.createElement("wbr"), part] : [part]));
  const rowAt = (state, at) => {
    if (at < state.rows.length) return state.rows[at];
    const row = state.rows[0].cloneNode(true);
    row.removeAttribute("class");
    row.removeAttribute("tabindex");
    [...row.cells].forEach((c, column) => {
      const text = textAt(state, at, column);
      c.replaceChildren(...(c.classList.contains("long") ? breakable(text) : [text]));
    });
    return row;
  };
  const marks = (state) => {
    /* whether a row names what the reader chose */
    return (at) => marked.size > 0
      && state.heads.some((_, column) => isMarked(textAt(state, at, column)));
  };
  const turn = (state) => {
    /* puts the rows from the first one on into the page, as many as it came with */
    const first = printing.on ? 0 : state.first;
    const most = printing.on ? MOST_PRINTED : state.rows.length;
    const listed = state.order.slice(first, first + most);
    const names = marks(state);
    state.table.tBodies[0].replaceChildren(...listed.map((at) => {
      const row = rowAt(state, at);
      row.classList.toggle("marked", names(at));
      return row;
    }));
    if (!state.pager) return;
    const [earlier, later, said] = state.pager.children;
    earlier.setAttribute("aria-disabled", String(first === 0));
    later.setAttribute("aria-disabled", String(first + most >= state.order.length));
    said.textContent = listed.length
      ? `Rows ${first + 1} to ${first + listed.length} of ${state.order.length}` : "No rows";
  };
  const turnAll = () => {
    for (const state of tables.values()) if (state.pager) turn(state);
  };
  const turnTo = (state, first) => {
    if (first < 0 || first >= Math.max(1, state.order.length)) return;
    state.first = first;
    turn(state);
    state.holder.querySelector(".scroll").scrollTop = 0;
    markWide();
  };
  const addPager = (state) => {
    const pager = document.createElement("div");
    pager.className = "pager";
    for (const [text, step] of [["Earlier rows", -1], ["Later rows", 1]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => turnTo(state, state.first + step * state.rows.length));
      pager.append(button);
    }
    const said = document.createElement("span");
    said.className = "muted";
    said.setAttribute("role", "status");
    pager.append(said);
    state.holder.querySelector(".rows-left").replaceWith(pager);
    state.pager = pager;
    turn(state);
  };
  const broughtIn = (state, at) => {
    /* the row, turned to, without a filter that hides it */
    if (!state.order.includes(at)) {
      state.filter.value = "";
      filterRows(state);
    }
    turnTo(state, state.order.indexOf(at) - (state.order.indexOf(at) % state.rows.length));
    return state.table.tBodies[0].rows[state.order.indexOf(at) - state.first];
  };
  const markRows = () => {
    let count = 0;
    for (const state of tables.values()) {
      count += upTo(state.count).filter(marks(state)).length;
      turn(state);
    }
    return count;
  };
  const sortRows = (state, heading) => {
    /* by full values; entries without one stay at the end */
    const falling = heading.getAttribute("aria-sort") === "ascending";
    for (const other of state.heads) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const column = heading.cellIndex;
    const numeric = heading.classList.contains("number");
    const { saved } = state.columns[column];
    const keys = saved.map((text, at) => {
      if (!numeric) return textAt(state, at, column);
      return text === "" ? NaN : Number(text.replace("inf", "Infinity"));
    });
    const lacks = keys.map((key) => (numeric ? Number.isNaN(key) : ["", NONE].includes(key)));
    state.sorted = upTo(state.count).sort((a, b) => {
      if (lacks[a] || lacks[b]) return lacks[a] - lacks[b] || a - b;
      const compared = numeric ? Math.sign(keys[a] - keys[b]) || 0
        : collator.compare(keys[a], keys[b]);
      return (falling ? -compared : compared) || a - b;
    });
    arrange(state);
  };
  const arrange = (state) => {
    /* every word must be in the row; NAME=TEXT asks for one column */
    const names = state.heads.map((head) =>
      head.textContent.trim().toLowerCase().replaceAll(" ", "-"));
    const asked = state.words.map((word) => {
      const [name, value] = word.split("=");
      return { word, value, column: value === undefined ? -1 : names.indexOf(name) };
    });
    if (asked.length) {
      state.lower ??= upTo(state.count).map((at) =>
        names.map((_, column) => textAt(state, at, column)).join(" ").toLowerCase());
    }
    state.order = !asked.length ? state.sorted : state.sorted.filter((at) =>
      asked.every(({ word, value, column }) => (column < 0 ? state.lower[at].includes(word)
        : textAt(state, at, column).toLowerCase() === value)));
    turnTo(state, 0);
  };
  const filterRows = (state) => {
    state.words = state.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    arrange(state);
    const [some, count] = [state.words.length > 0, state.order.length];
    state.said.textContent = some ? `${count} of ${state.count}` : "";
    state.holder.querySelector("button[data-rows]").textContent = !some ? "CSV of all rows"
      : count === 1 ? "CSV of the row found" : `CSV of the ${count} rows found`;
  };
  for (const state of tables.values()) {
    if (state.count < 3 || state.holder.matches(".saved-rows")) continue;
    for (const heading of state.heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => withRows(state, () => sortRows(state, heading)));
    }
    if (state.count < FILTERED) continue;
    const label = document.createElement("label");
    label.className = "filter";
    const input = document.createElement("input");
    input.type = "search";
    input.autocomplete = "off";
    input.placeholder = "text, or heading=text";
    const said = document.createElement("span");
    said.className = "muted";
    said.setAttribute("role", "status");
    label.append("Rows with ", input);
    state.holder.querySelector(".scroll").before(label, " ", said);
    Object.assign(state, { filter: input, said });
    input.addEventListener("input", () => withRows(state, () => filterRows(state)));
  }
  const csvOfRows = ({ columns, order }) => {
    /* the cells that the table's file has, of the rows that the filter leaves */
    const lines = [columns.map(({ name }) => name),
      ...order.map((at) => columns.map(({ saved }) => saved[at]))];
    return lines.map((cells) => cells.map(quoted).join(",") || '""').join("\n") + "\n";
  };

  /* ---- tables on paper: as wide as a sheet, and what has no room named ---- */
  const SHEET = 680; /* pixels between the margins of A4 */
  const SMALLEST = 0.65; /* smaller print, of less than 6 points, is hard to read */
  const fitTables = () => {
    /* widths are read before any is changed, so that the page is laid out once; columns stand side
       by side where a table does not on a narrow screen, which has nothing to fit */
    root.dataset.measuring = "yes";
    const measured = [...tables.values()].map((state) => [state,
      state.heads.map((head) => head.getBoundingClientRect().width)]);
    delete root.dataset.measuring;
    for (const [state, widths] of measured) {
      const upToEach = widths.map((_, at) => widths.slice(0, at + 1).reduce((sum, one) => sum + one));
      if (upToEach.at(-1) <= SHEET) continue;
      const kept = Math.max(1, upToEach.filter((width) => width <= SHEET / SMALLEST).length);
      /* a pixel less: letters of another size are rounded */
      state.table.style.zoom = Math.min(1, Math.max(SMALLEST, (SHEET - 1) / upToEach[kept - 1]));
      if (kept < widths.length) leaveOut(state, kept);
    }
  };
  const leaveOut = (state, kept) => {
    for (const row of state.table.rows) {
      for (const beyond of [...row.cells].slice(kept)) beyond.hidden = true;
    }
    const names = state.heads.slice(kept).map((head) => head.textContent.trim());
    const { file } = state.holder.querySelector("button[data-rows]").dataset;
    state.unprinted = document.createElement("p");
    state.unprinted.className = "coarse unprinted";
    state.unprinted.textContent = `Not printed, for want of room: ${names.join(", ")}. `
      + `The CSV of all rows, ${file}, has every column.`;
    state.holder.querySelector(".scroll").after(state.unprinted);
  };
  const unfitTables = () => {
    for (const state of tables.values()) {
      if (state.table.style.zoom) state.table.removeAttribute("style");
      if (!state.unprinted) continue;
      for (const each of state.table.querySelectorAll("[hidden]")) each.hidden = false;
      state.unprinted.remove();
      delete state.unprinted;
    }
  };

  /* ---- finding ---- */
  const SEARCHED = "main h2, main h3, main h4, main .lead, main .prose, main .finding, "
    + "main figcaption, main .caption, main .citation, main .card p, main .scroll, main .tree li:not(:has(ul))";
  const MOST_FOUND = 20;
  const field = document.getElementById("find");
  const list = document.getElementById("found");
  let places = null;
  const placesIn = (element) => {
    /* a paragraph or the like; of a table each row, whether it is on the page or not */
    const where = element.closest("main > section").querySelector("h2").textContent;
    const anchor = element.closest("[id]").id;
    const place = (text, more) => {
      const told = text.replace(/\s+/g, " ").trim();
      return { text: told, lower: told.toLowerCase(), where, anchor, ...more };
    };
    const cellsOf = (row) => [...row.cells].map((c) => c.textContent).join(" \u00b7 ");
    if (!element.matches(".scroll")) return [place(element.textContent, { reach: () => element })];
    const state = tables.get(element.parentElement);
    if (state) {
      return Array.from({ length: state.count }, (_, at) =>
        place(state.heads.map((_, column) => textAt(state, at, column)).join(" \u00b7 "),
          { reach: () => broughtIn(state, at) }));
    }
    return [...element.querySelectorAll("tbody tr")].map((row) =>
      place(cellsOf(row), { anchor: row.id || anchor, reach: () => row }));
  };
  const searchable = () => {
    places ??= [...document.querySelectorAll(SEARCHED)].flatMap(placesIn);
    return places;
  };
  const namedFigures = () => {
    /* name to the number of figures that show it */
    const counts = new Map();
    for (const { panels } of figures.values()) {
      const names = new Set((panels || []).flatMap((panel) => [...namesIn(panel)]));
      for (const name of names) counts.set(name, (counts.get(name) || 0) + 1);
    }
    return counts;
  };
  const excerpt = (text, at, length) => {
    const start = Math.max(0, at - 40);
    const mark = document.createElement("mark");
    mark.textContent = text.slice(at, at + length);
    return [(start ? "\u2026" : "") + text.slice(start, at), mark,
      text.slice(at + length, at + length + 60)];
  };
  const arrive = (element) => {
    for (let at = element; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    reserved.then(() => element.scrollIntoView({ block: "center", behavior: "instant" }));
    document.querySelector(".arrived")?.classList.remove("arrived");
    element.classList.add("arrived");
    /* the keyboard goes on from here; the place itself is no stop, and a click does not focus it */
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    element.addEventListener("blur", () => element.removeAttribute("tabindex"), { once: true });
  };
  const item = (...content) => {
    const line = document.createElement("li");
    line.append(...content);
    return line;
  };
  const find = async () => {
    const wanted = field.value.trim().toLowerCase();
    const said = document.getElementById("found-count");
    list.replaceChildren();
    said.textContent = "";
    if (wanted.length < 2) return;
    for (const holder of figures.keys()) await decode(holder).catch(() => null);
    for (const holder of tables.keys()) await rowsOf(holder).catch(() => null);
    if (field.value.trim().toLowerCase() !== wanted) return; /* typed on meanwhile */
    const names = [...namedFigures()].filter(([name]) => name.toLowerCase().includes(wanted));
    names.sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
    const texts = searchable().filter((place) => place.lower.includes(wanted));
    for (const [name, count] of names.slice(0, 6)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.textContent = `Mark ${name} in ${count} figure${count === 1 ? "" : "s"}`;
      button.addEventListener("click", () => { if (name !== chosen) choose(name); });
      list.append(item(button));
    }
    for (const place of texts.slice(0, MOST_FOUND)) {
      const link = document.createElement("a");
      link.href = `#${place.anchor}`;
      link.append(...excerpt(place.text, place.lower.indexOf(wanted), wanted.length));
      link.addEventListener("click", (event) => {
        event.preventDefault();
        history.replaceState(null, "", link.href);
        arrive(place.reach());
      });
      const where = document.createElement("span");
      where.className = "muted";
      where.textContent = `${place.where}: `;
      list.append(item(where, link));
    }
    const more = texts.length - MOST_FOUND;
    said.textContent = `${texts.length + names.length} found${more > 0 ? `, ${more} not listed` : ""}`;
  };
  let typed = 0;
  field.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(find, 120); });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    field.value = "";
    find();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    field.focus();
  });

  /* ---- where the reader is ---- */
  if (innerWidth < 1088) document.querySelector("nav.toc details").open = false;
  const links = new Map();
  for (const link of document.querySelectorAll("nav.toc a")) {
    links.set(link.getAttribute("href").slice(1), link);
  }
  const spy = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const id of links.keys()) {
    const target = document.getElementById(id);
    if (target) spy.observe(target);
  }
})();
