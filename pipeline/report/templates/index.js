"use strict";
(() => {
  const table = document.getElementById("experiments");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const names = rows.map((row) => row.dataset.experiment);
  const order = new Intl.Collator(undefined, { numeric: true });
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");

  /* ---- what the reader chose: experiment to shown name, highlight, hidden ---- */
  const STORE = `neuroptych-index ${location.pathname}`;
  const COLOURS = ["none", "blue", "orange", "green", "pink"];
  let chosen = {};
  try { chosen = JSON.parse(localStorage.getItem(STORE)) || {}; } catch { /* no storage: fine */ }
  const of = (name) => chosen[name] || {};
  const change = (name, what) => {
    chosen[name] = { ...of(name), ...what };
    try { localStorage.setItem(STORE, JSON.stringify(chosen)); } catch { /* fine */ }
  };
  const titleOf = (name) => of(name).title || name;
  const colourOf = (name) => COLOURS.indexOf(of(name).colour || "none");

  /* ---- everything that shows an experiment follows ---- */
  const found = (name) => {
    const wanted = filter.value.trim().toLowerCase();
    const row = rows[names.indexOf(name)];
    return `${row.textContent} ${name} ${titleOf(name)}`.toLowerCase().includes(wanted);
  };
  const visible = (name) => !of(name).hidden && found(name);
  const mark = (element, name) => {
    element.classList.toggle("lit", colourOf(name) > 0);
    element.style.setProperty("--lit", colourOf(name) > 0 ? `var(--g${colourOf(name) - 1})` : "");
  };
  const showAll = () => {
    let count = 0;
    for (const element of document.querySelectorAll("[data-experiment]")) {
      const name = element.dataset.experiment;
      element.hidden = !visible(name);
      mark(element, name);
      const text = element.querySelector(".named");
      if (text) {
        text.textContent = titleOf(name);
        text.title = titleOf(name) === name ? "" : name;
      }
    }
    for (const name of names) count += visible(name);
    shown.textContent = count < names.length ? `${count} of ${names.length}` : "";
    showDifferences(count);
    drawMultiples();
  };
  const differing = document.getElementById("differences");
  const showDifferences = (count) => {
    /* settings that are alike in all experiments that are shown are no differences */
    if (!differing) return;
    let differ = 0;
    for (const row of differing.tBodies[0].rows) {
      const values = [...row.cells].filter((one) => one.dataset.experiment && !one.hidden);
      row.hidden = new Set(values.map((one) => one.textContent)).size < 2;
      differ += !row.hidden;
    }
    differing.parentElement.hidden = !differ;
    const among = count < names.length ? "the experiments shown" : "experiments";
    document.getElementById("differ").textContent = differ
      ? `${differ} setting${differ === 1 ? " differs" : "s differ"} between ${among}; all others are the same.`
      : count > 1 ? "The experiments shown were analysed with the same settings."
        : "Settings are compared where two experiments or more are shown.";
  };

  /* ---- a table that is wider than its box says so ---- */
  const watch = new ResizeObserver(() => {
    for (const box of document.querySelectorAll(".scroll")) {
      box.toggleAttribute("data-wide", box.scrollWidth > box.clientWidth + 1);
    }
  });
  for (const one of document.querySelectorAll(".scroll, .scroll > table")) watch.observe(one);

  /* ---- sorting: by a column of the table, or by a key number ---- */
  let sorted = { by: null, falling: false };
  const sortBy = (by, valueOf, compare) => {
    /* the same again turns the order around; rows without a value stay at the end */
    sorted = { by, falling: sorted.by === by && !sorted.falling };
    for (const heading of table.tHead.rows[0].cells) {
      heading.setAttribute("aria-sort", heading.cellIndex === by ? sortWord() : "none");
    }
    const lacks = (row) => [undefined, ""].includes(valueOf(row));
    const way = sorted.falling ? -1 : 1;
    body.append(...[...rows].sort((a, b) => (lacks(a) || lacks(b) ? lacks(a) - lacks(b)
      : way * compare(valueOf(a), valueOf(b)))));
    drawMultiples();
  };
  const sortWord = () => (sorted.falling ? "descending" : "ascending");
  table.tHead.addEventListener("click", (event) => {
    const column = event.target.closest("button")?.parentElement.cellIndex;
    if (column === undefined) return;
    sortBy(column, (row) =>
      (column ? row.cells[column].dataset.key : titleOf(row.dataset.experiment)), order.compare);
  });

  /* ---- key numbers, one small chart each ---- */
  const charts = document.getElementById("multiples");
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const make = (tag, cls, text) => {
    const element = document.createElement(tag);
    if (cls) element.className = cls;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const drawMultiples = () => {
    const inOrder = [...body.rows].map((row) => row.dataset.experiment).filter(visible);
    charts.replaceChildren(...numbers.flatMap((number) => {
      const { method, name, values } = number;
      const listed = inOrder.filter((one) => Object.hasOwn(values, one));
      if (!listed.length) return [];
      const low = Math.min(0, ...listed.map((one) => values[one].low ?? values[one].value));
      const high = Math.max(0, ...listed.map((one) => values[one].high ?? values[one].value));
      const span = high - low || 1;
      const across = (element, from, to) => { /* lies from one value to another */
        element.style.left = `${(100 * (from - low)) / span}%`;
        element.style.width = `${(100 * (to - from)) / span}%`;
        return element;
      };
      const chart = make("figure", "multiple");
      const button = make("button", "sort", `${method}: ${name}`);
      button.type = "button";
      button.addEventListener("click", () => {
        sortBy(number, (row) => values[row.dataset.experiment]?.value, (a, b) => a - b);
        charts.querySelector("[data-sorted]").focus(); /* charts are drawn anew */
      });
      if (sorted.by === number) {
        button.dataset.sorted = sortWord();
        button.append(make("span", "hidden-text", `, ${sortWord()}`));
      }
      const caption = make("figcaption");
      caption.append(button);
      chart.append(caption);
      const list = make("ul");
      for (const one of listed) {
        const line = make("li");
        mark(line, one);
        const label = make("span", "label", titleOf(one));
        label.title = one;
        const track = make("span", "track");
        const { value } = values[one];
        track.append(across(make("span", "bar"), Math.min(0, value), Math.max(0, value)));
        if (values[one].low !== null) {
          track.append(across(make("span", "range"), values[one].low, values[one].high));
        }
        line.append(label, track, make("span", "value", values[one].told));
        line.title = values[one].ranged;
        list.append(line);
      }
      chart.append(list);
      return [chart];
    }));
  };

  /* ---- the toolbox ---- */
  const tools = document.getElementById("chosen").tBodies[0];
  const inCell = (element) => {
    const found = make("td");
    found.append(element);
    return found;
  };
  const drawTools = () => {
    tools.replaceChildren(...names.map((name) => {
      const line = make("tr");
      const heading = make("th", "", name);
      heading.scope = "row";
      const show = make("input");
      show.type = "checkbox";
      show.checked = !of(name).hidden;
      show.setAttribute("aria-label", `Show ${name}`);
      show.addEventListener("change", () => { change(name, { hidden: !show.checked }); showAll(); });
      const colour = make("select");
      colour.append(...COLOURS.map((one) => new Option(one, one)));
      colour.value = of(name).colour || "none";
      colour.setAttribute("aria-label", `Highlight ${name}`);
      colour.addEventListener("change", () => { change(name, { colour: colour.value }); showAll(); });
      const title = make("input");
      title.type = "text";
      title.value = of(name).title || "";
      title.placeholder = name;
      title.setAttribute("aria-label", `Name to show for ${name}`);
      title.addEventListener("input", () => { change(name, { title: title.value.trim() }); showAll(); });
      line.append(heading, inCell(show), inCell(colour), inCell(title));
      return line;
    }));
  };
  const press = (id, act) => document.getElementById(id).addEventListener("click", () => {
    act();
    drawTools();
    showAll();
  });
  press("hide-others", () => {
    for (const name of names) change(name, { hidden: !found(name) || Boolean(of(name).hidden) });
  });
  press("highlight-found", () => {
    for (const name of names) if (visible(name)) change(name, { colour: COLOURS[1] });
  });
  press("reset", () => {
    chosen = {};
    filter.value = "";
    try { localStorage.removeItem(STORE); } catch { /* fine */ }
  });
  filter.addEventListener("input", showAll);
  drawTools();
  showAll();
})();
