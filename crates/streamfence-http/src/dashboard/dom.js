// Elements, made and kept: what is on the page already is changed and not made anew, so that focus, selection and scroll stay.

/** An element. Properties that begin with `on` are listeners, `text` is its text; everything else is an attribute. */
export function h(tag, properties = {}, ...children) {
  return dress(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function dress(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Writes a text, if it is another one. */
export function say(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Writes an attribute, if it is another one; `undefined` takes it away. */
export function mark(element, name, value) {
  if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

/**
 * Shows a list as the children of an element. Each item has a key; `make` draws a new one as `{node, update}`, and what is
 * there already is only updated.
 */
export class List {
  #parent;
  #keyOf;
  #make;
  #shown = new Map();

  constructor(parent, keyOf, make) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#make = make;
  }

  show(items) {
    const focused = document.activeElement;
    const gone = new Map(this.#shown);
    let place = this.#parent.firstChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      if (!this.#shown.has(key)) this.#shown.set(key, this.#make(item));
      gone.delete(key);
      const { node, update } = this.#shown.get(key);
      update?.(item);
      if (node === place) place = place.nextSibling;
      else this.#parent.insertBefore(node, place);
    }
    for (const [key, { node }] of gone) {
      node.remove();
      this.#shown.delete(key);
    }
    // A row that moved has lost the focus on its way.
    if (focused !== document.activeElement && this.#parent.contains(focused)) focused.focus({ preventScroll: true });
  }
}

/** A place for a list that is scrolled within itself, with the keyboard too: `{node, list}`. */
export function scrolled(label, kind) {
  const list = h("ol");
  return { list, node: h("div", { class: kind, tabindex: 0, role: "group", "aria-label": label }, list) };
}

/**
 * A table that is kept. A column is `{title, number?, cell}`, where `cell` draws what changes: `{node, update(item)}`, or it
 * is a function from an item to its text. The first column is the head of its row.
 */
export class Table {
  #list;
  #none;

  constructor({ label, columns, keyOf, none }) {
    const row = (item) => {
      const cells = columns.map((column, index) => new Cell(column, index === 0, item));
      const node = h("tr", {}, ...cells.map((cell) => cell.node));
      return { node, update: (item) => cells.forEach((cell) => cell.update(item)) };
    };
    const titles = columns.map((column) => {
      const title = h("th", { scope: "col", class: column.number ? "number" : undefined, title: column.hint });
      title.append(column.hideTitle ? h("span", { class: "hidden", text: column.title }) : column.title);
      return title;
    });
    const body = h("tbody");
    this.#list = new List(body, keyOf, row);
    this.#none = h("tbody", {}, h("tr", {}, h("td", { class: "none", colspan: columns.length, text: none })));
    const table = h("table", { "aria-label": label }, h("thead", {}, h("tr", {}, ...titles)), body, this.#none);
    // What is too wide is scrolled, with the keyboard too.
    this.node = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label }, table);
  }

  show(items) {
    this.#none.hidden = items.length > 0;
    this.#list.show(items);
  }
}

class Cell {
  #update;

  constructor({ cell, number, act }, isHead, item) {
    const kind = number ? "number" : act ? "act" : undefined;
    this.node = isHead ? h("th", { scope: "row", class: kind }) : h("td", { class: kind });
    const drawn = cell(item);
    if (typeof drawn === "object") {
      this.node.append(drawn.node);
      this.#update = drawn.update;
    } else {
      this.#update = (item) => say(this.node, cell(item));
    }
  }

  update(item) {
    this.#update?.(item);
  }
}
