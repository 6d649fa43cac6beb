// The goods of a sale: found by name or barcode, counted, summed. Optional: a sum alone is a sale too.
import { ask, SilenceError } from "./api.js";
import { byId, element, fieldError } from "./state.js";
import { money, t } from "./words.js";

const SEARCH_AFTER_MS = 200;
const search = byId("goods-search");
const found = byId("goods-found");
let lines = []; // {product, quantity}
let onChange = () => {};
let timer = 0;
let asked = 0;
let chosen = -1;

export function prepareGoods(changed) {
  onChange = changed;
  search.setAttribute("aria-describedby", "goods-error");
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, SEARCH_AFTER_MS);
  });
  search.addEventListener("keydown", move);
}

export function clearGoods() {
  lines = [];
  search.value = "";
  byId("goods").open = false;
  fieldError(search, "");
  showFound([]);
  draw();
}

// Lines as the API wants them, or null when there are none.
export function goodsLines() {
  if (!lines.length) return null;
  return lines.map(({ product, quantity }) => ({
    sku: product.sku,
    name: product.name,
    category: product.category,
    quantity_milli: quantity * 1000,
    price_minor: product.price_minor,
    amount_minor: product.price_minor * quantity,
  }));
}

export async function addByBarcode(barcode) {
  const products = await ask_(barcode);
  byId("goods").open = true;
  if (products?.length === 1) add(products[0]);
  else if (products) fieldError(search, t("No product has the barcode {barcode}.", { barcode }));
}

async function look() {
  const text = search.value.trim();
  if (!text) return showFound([]);
  const mine = ++asked;
  const products = await ask_(text);
  if (mine !== asked || !products) return;
  showFound(products);
  if (!products.length) fieldError(search, t("Nothing found."));
}

async function ask_(text) {
  fieldError(search, "");
  try {
    const answer = await ask("GET", `/products?q=${encodeURIComponent(text)}`);
    if (answer.ok) return answer.data.products;
    fieldError(search, answer.title);
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    fieldError(search, t("No network: enter the sum only."));
  }
  return null;
}

function showFound(products) {
  chosen = -1;
  found.hidden = products.length === 0;
  search.setAttribute("aria-expanded", String(products.length > 0));
  search.removeAttribute("aria-activedescendant");
  found.replaceChildren(
    ...products.map((product, place) => {
      const option = element(
        "li",
        { role: "option", id: `product-${place}`, "aria-selected": "false" },
        element("span", {}, product.name, element("small", {}, product.category)),
        element("b", {}, money(product.price_minor)),
      );
      option.addEventListener("click", () => pick(product));
      option.product = product;
      return option;
    }),
  );
}

function move(event) {
  const options = [...found.children];
  if (event.key === "Escape" && !found.hidden) {
    event.stopPropagation();
    showFound([]);
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!options.length) return;
    event.preventDefault();
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : options.length - (chosen < 0 ? 0 : 1))) % options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === chosen)));
    options[chosen].scrollIntoView({ block: "nearest" });
    search.setAttribute("aria-activedescendant", options[chosen].id);
  } else if (event.key === "Enter") {
    event.preventDefault(); // never the sale's own button
    if (options.length) pick(options[Math.max(chosen, 0)].product);
  }
}

function pick(product) {
  search.value = "";
  showFound([]);
  search.focus();
  add(product);
}

function add(product) {
  const line = lines.find((one) => one.product.sku === product.sku);
  if (line) line.quantity += 1;
  else lines.push({ product, quantity: 1 });
  draw();
  onChange();
}

function draw() {
  byId("goods-lines").replaceChildren(...lines.map(lineRow));
}

function lineRow(line) {
  const step = (by, sign, label) => {
    const button = element("button", { type: "button", "aria-label": label }, sign);
    button.addEventListener("click", () => {
      line.quantity += by;
      lines = lines.filter((one) => one.quantity > 0);
      draw();
      onChange();
    });
    return button;
  };
  const name = line.product.name;
  return element(
    "li",
    {},
    element("span", { class: "what" }, name),
    step(-1, "−", t("One less: {name}", { name })),
    element("output", {}, String(line.quantity)),
    step(1, "+", t("One more: {name}", { name })),
    element("span", { class: "price" }, money(line.product.price_minor * line.quantity)),
  );
}
