/* Tables that compare methods: sort by a column, choose rows by their words. Without this script they stand as they are. */
(() => {
  const value = (cell) => (cell.dataset.value === undefined ? null : Number(cell.dataset.value));

  const compare = (number, way) => (a, b) => {
    const [left, right] = [a, b].map((row) => row.cells[number]);
    if (!left.classList.contains("number")) return way * left.textContent.localeCompare(right.textContent);
    const [x, y] = [left, right].map(value);
    if (x === null || y === null) return (x === null) - (y === null); // what was not measured stays below
    return way * (x - y);
  };

  const sortBy = (table, number) => {
    const heads = [...table.tHead.rows[0].cells];
    const head = heads[number];
    const before = head.getAttribute("aria-sort");
    const first = head.dataset.best === "high" ? "descending" : "ascending";
    const other = { ascending: "descending", descending: "ascending" };
    const order = before ? other[before] : first;
    heads.forEach((cell) => cell.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const body = table.tBodies[0];
    [...body.rows].sort(compare(number, order === "ascending" ? 1 : -1)).forEach((row) => body.append(row));
  };

  const makeSortable = (table) => {
    [...table.tHead.rows[0].cells].forEach((head, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, number));
      head.append(button);
    });
  };

  const makeFilters = (box, table) => {
    const form = document.createElement("form");
    form.className = "comparison-choices";
    const said = document.createElement("output");
    const rows = [...table.tBodies[0].rows];
    const choices = [...table.tHead.rows[0].cells].map((head, number) => {
      if (head.classList.contains("number")) return null;
      const select = document.createElement("select");
      const words = [...new Set(rows.map((row) => row.cells[number].textContent))];
      select.append(new Option("all", ""), ...words.map((word) => new Option(word, word)));
      const label = document.createElement("label");
      label.append(`${head.textContent} `, select);
      form.append(label);
      return { number, select };
    }).filter(Boolean);
    const apply = () => {
      rows.forEach((row) => {
        row.hidden = choices.some(({ number, select }) => select.value && row.cells[number].textContent !== select.value);
      });
      said.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    };
    form.addEventListener("change", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(said);
    apply();
    box.before(form); // it stays where it is while the table scrolls
  };

  const start = () => document.querySelectorAll(".comparison").forEach((box) => {
    const table = box.querySelector("table");
    makeFilters(box, table);
    makeSortable(table);
  });
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
