"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const clean = (text) => text.replace(/\s+/g, " ").trim();
  const html = document.documentElement;
  const bar = one("#bar");
  const shown = one("#shown");

  // Theme: as the system has it, light or dark.
  const themes = ["auto", "light", "dark"];
  const button = one("#theme");
  const kept = (() => { try { return localStorage.getItem("entra-audit-theme"); } catch { return null; } })();
  const setTheme = (name) => {
    if (name === "auto") html.removeAttribute("data-theme"); else html.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
    try { localStorage.setItem("entra-audit-theme", name); } catch { /* A page opened from a mail may keep nothing. */ }
  };
  setTheme(themes.includes(kept) ? kept : "auto");
  button.addEventListener("click", () => {
    const now = html.dataset.theme ?? "auto";
    setTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
  });
  button.hidden = false;

  // Copy. Where the browser refuses both ways, the text is shown and selected, for Ctrl+C.
  const said = one("#said");
  const tell = (words) => { said.textContent = ""; setTimeout(() => { said.textContent = words; }, 50); };
  const selected = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.rows = 2;
    area.className = "refused";
    area.setAttribute("aria-label", "Copying was refused: press Ctrl+C");
    return area;
  };
  const write = async (text, from) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      all(".refused").forEach((old) => old.remove());
      const area = selected(text);
      from.after(area);
      area.select();
      if (!document.execCommand("copy")) return false;
      area.remove();
      return true;
    }
  };
  const copyButton = (label, text) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.addEventListener("click", async () => {
      const copied = await write(text(), made);
      tell(copied ? "Copied" : "Copying was refused. The text is selected: press Ctrl+C.");
      if (!copied) return;
      made.textContent = "Copied";
      setTimeout(() => { made.textContent = label; }, 1200);
      made.focus();
    });
    return made;
  };
  for (const code of all("code.copy")) {
    const button = copyButton("Copy", () => code.textContent);
    button.setAttribute("aria-label", `Copy the line ${code.textContent}`);
    code.after(" ", button);
    code.parentElement.classList.add("copyable");
  }

  // One cell as one line: its parts apart, without the marks of the screen.
  const words = (cell) => clean([...cell.childNodes].map((node) => node.textContent).join(" "));
  // A row's cells by column; what another cell spans is null.
  const columns = (row) => [...row.cells].flatMap((cell) => [cell, ...Array(cell.colSpan - 1).fill(null)]);
  const rowText = (group) => {
    const why = one(".why > td", group);
    return columns(group.rows[0]).concat(why ?? []).map((cell) => (cell ? words(cell) : ""));
  };
  all(".more details").forEach((details) => details.addEventListener("toggle", () => {
    if (!details.open || one(".actions", details)) return;
    const group = details.closest("tbody");
    const actions = document.createElement("p");
    actions.className = "actions";
    actions.append(copyButton("Copy row", () => rowText(group).join("\t")));
    const portal = one("a.portal", details);
    if (portal) actions.append(copyButton("Copy portal link", () => portal.href));
    actions.append(copyButton("Copy Graph request", () => one(".request", details).textContent));
    one("dl", details).before(actions);
  }));

  // Sorting: a table's rows, or its groups of rows.
  const value = (unit, column) => {
    const cell = columns(unit.rows ? unit.rows[0] : unit)[column];
    return cell ? cell.dataset.v ?? words(cell) : "";
  };
  for (const table of all("table.sortable")) {
    const grouped = table.matches(".grants");
    const heads = all("thead th", table).filter((head) => head.closest("table") === table);
    heads.forEach((head, column) => {
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.append(...head.childNodes);
      head.append(sorter);
      head.setAttribute("aria-sort", "none");
      sorter.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const place = grouped ? table : table.tBodies[0];
        const units = grouped ? [...table.tBodies] : [...place.rows];
        const keyed = units.map((unit) => [value(unit, column), unit]);
        keyed.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }) * (down ? -1 : 1));
        place.append(...keyed.map(([, unit]) => unit));
      });
    });
  }

  // Filters. A search is words that must all occur; -word excludes, a|b is either. It looks at permission, opens,
  // policy, decision, check and app; behind all: at everything.
  const groups = all(".grants > tbody");
  const items = all("[data-item]");
  const appName = (group) => clean(one("h2", group.closest(".app")).textContent);
  const looked = (group) => {
    const [permission, opens, policy] = columns(group.rows[0]);
    return [permission, opens, policy, ...all(".badge, .check", group)].map((cell) => (cell ? words(cell) : ""))
      .concat(appName(group)).join(" ");
  };
  const texts = new Map();
  const text = (node, deep) => {
    if (deep || !node.rows) return node.textContent.toLowerCase();
    if (!texts.has(node)) texts.set(node, looked(node).toLowerCase());
    return texts.get(node);
  };
  const fields = { q: "#q", decision: "#f-decision", severity: "#f-severity", app: "#f-app", kind: "#f-kind" };
  const names = { q: "search", decision: "decision", severity: "severity", app: "app", kind: "kind" };
  const filtered = one("#filtered");
  const wanted = () => Object.fromEntries(Object.entries(fields).map(([name, id]) => [name, one(id).value]));
  const matcher = (want) => {
    const typed = want.q.toLowerCase().trim();
    const deep = typed.startsWith("all:");
    const terms = typed.replace(/^all:/, "").split(/\s+/).filter((term) => term && term !== "-").map((term) => ({
      no: term.startsWith("-"),
      any: term.replace(/^-/, "").split("|").filter(Boolean),
    }));
    return (node, by) => by.every((name) => !want[name] || node.dataset[name] === want[name])
      && terms.every(({ no, any }) => any.some((word) => text(node, deep).includes(word)) !== no);
  };
  const apply = () => {
    const want = wanted();
    const fits = matcher(want);
    let count = 0;
    for (const group of groups) {
      const fit = fits(group, ["decision", "severity", "app", "kind"]);
      group.hidden = !fit;
      count += fit;
    }
    for (const item of items) item.hidden = !fits(item, ["severity", "app"]);
    for (const section of all(".app")) {
      section.hidden = Boolean(want.app) && section.dataset.app !== want.app;
      const none = one(".nomatch", section);
      if (none) none.hidden = all(".grants > tbody:not([hidden])", section).length > 0;
    }
    for (const finding of all(".finding")) finding.hidden = !one("[data-item]:not([hidden])", finding);
    shown.textContent = `${count} of ${groups.length} lines`;
    const chosen = Object.entries(want).filter(([, value]) => value).map(([name, value]) => `${names[name]} ${value}`);
    filtered.hidden = !chosen.length;
    filtered.textContent = `This copy is filtered (${chosen.join("; ")}): it shows ${shown.textContent}.`;
    const state = new URLSearchParams(Object.entries(want).filter(([, chosen]) => chosen)).toString();
    const address = state ? `#?${state}` : location.hash.startsWith("#?") ? "#" : null;
    try { if (address !== null) history.replaceState(null, "", address); } catch { /* A sandboxed page has no address. */ }
  };
  const restore = new URLSearchParams(location.hash.startsWith("#?") ? location.hash.slice(2) : "");
  for (const [name, id] of Object.entries(fields)) one(id).value = restore.get(name) ?? "";
  let waiting;
  bar.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 80); });
  bar.addEventListener("reset", () => setTimeout(apply));
  bar.addEventListener("submit", (event) => event.preventDefault());
  bar.hidden = false;
  apply();

  // A link to what a filter hides shows it again.
  document.addEventListener("click", (event) => {
    const target = event.target.closest('a[href^="#"]')?.hash.slice(1);
    if (target && document.getElementById(target)?.closest("[hidden]")) {
      for (const id of Object.values(fields)) one(id).value = "";
      apply();
    }
  });

  // The lines on the screen as CSV; no cell is a formula.
  const safe = (cell) => `"${cell.replace(/(^|;)(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])/g, "$1'").replaceAll('"', '""')}"`;
  one("#export").addEventListener("click", () => {
    const visible = groups.filter((group) => !group.hidden && !group.closest(".app").hidden);
    const head = ["App", ...all("thead th", one(".grants")).slice(0, 7).map((cell) => clean(cell.textContent)), "Reason"];
    const rows = visible.map((group) => [appName(group), ...rowText(group)]);
    const csv = "\ufeff" + [head, ...rows].map((row) => row.map(safe).join(",") + "\r\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    link.download = "grants-shown.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  // Escape empties the search, takes back a refused copy, and closes the details that it is pressed in.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const from = event.target;
    const details = from.closest("details[open]");
    if (from.matches(".refused")) {
      from.previousElementSibling.focus();
      from.remove();
    } else if (from.matches("#q")) {
      from.value = "";
      apply();
    } else if (details) {
      details.open = false;
      one("summary", details).focus();
    }
  });

  // Paper shows all details.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));
})();
