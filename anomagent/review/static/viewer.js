// The image: fitted, zoomed, panned, with the boxes of objects over it.

import { byId, make } from "./dom.js";
import { follow } from "./gestures.js";

const STEP = 1.3; // one press of + or one click
const PAN = 80; // CSS pixels of one arrow key
const CLOSEST = 8; // screen pixels for a pixel of the image
const LONGEST_LABEL = 60;
const SVG = "http://www.w3.org/2000/svg";

export class Viewer {
  constructor() {
    this.stage = byId("stage");
    this.canvas = byId("canvas");
    this.size = null;
    this.fitted = true;
    this.boxesShown = true;
    new ResizeObserver(() => (this.fitted ? this.fit() : this.#place())).observe(this.stage);
    follow(this.stage, { zoom: (factor, x, y) => this.zoom(factor, x, y), pan: (dx, dy) => this.pan(dx, dy) });
  }

  /** Show `picture`, an image element, with the boxes of `item`; `item` null clears the stage. */
  show(item, picture) {
    this.size = item && { width: item.image.width, height: item.image.height };
    this.canvas.replaceChildren();
    this.hasBoxes = Boolean(item?.boxes.length);
    byId("toggle-boxes").hidden = !this.hasBoxes;
    if (!item) return;
    this.canvas.style.width = `${this.size.width}px`;
    this.canvas.style.height = `${this.size.height}px`;
    this.canvas.append(picture, drawBoxes(item));
    this.stage.setAttribute("aria-label", describe(item));
    this.fit();
    this.#showBoxes();
  }

  fit() {
    if (!this.size) return;
    const { width, height } = this.size;
    this.fitted = true;
    this.scale = this.#fitting();
    this.x = (this.stage.clientWidth - width * this.scale) / 2;
    this.y = (this.stage.clientHeight - height * this.scale) / 2;
    this.#place();
  }

  /** Zoom by `factor` so that the point (x, y) of the stage stays where it is; its middle by default. */
  zoom(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    if (!this.size) return;
    const fitting = this.#fitting();
    const scale = Math.min(Math.max(this.scale * factor, fitting), Math.max(CLOSEST, fitting));
    if (scale === fitting) return this.fit();
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.#place();
  }

  zoomIn = () => this.zoom(STEP);
  zoomOut = () => this.zoom(1 / STEP);

  /** Move the image by CSS pixels. */
  pan(dx, dy) {
    if (!this.size || this.fitted) return;
    this.x += dx;
    this.y += dy;
    this.#place();
  }

  /** Move by an arrow key towards (right, down); false where all of the image is in view. */
  look(right, down) {
    if (this.fitted) return false;
    this.pan(-right * PAN, -down * PAN);
    return true;
  }

  toggleBoxes() {
    if (!this.hasBoxes) return false;
    this.boxesShown = !this.boxesShown;
    this.#showBoxes();
    return true;
  }

  #showBoxes() {
    byId("toggle-boxes").setAttribute("aria-pressed", String(this.boxesShown));
    const svg = this.canvas.querySelector("svg");
    if (svg) svg.classList.toggle("gone", !this.boxesShown);
  }

  #fitting() {
    const { width, height } = this.size;
    return Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height, CLOSEST) || 1;
  }

  /** Apply position and scale; an edge of the image never leaves a gap on one side while the other is cut. */
  #place() {
    if (!this.size) return;
    this.x = bounded(this.x, this.stage.clientWidth, this.size.width * this.scale);
    this.y = bounded(this.y, this.stage.clientHeight, this.size.height * this.scale);
    this.canvas.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.canvas.style.setProperty("--pixel", 1 / this.scale);
    this.stage.classList.toggle("zoomed", !this.fitted);
    byId("zoom-level").textContent = `${Math.round(this.scale * 100)}%`;
  }
}

function bounded(start, room, length) {
  if (length <= room) return (room - length) / 2;
  return Math.min(0, Math.max(room - length, start));
}

function describe(item) {
  const objects = item.boxes.map((box) => box.object.slice(0, LONGEST_LABEL));
  const boxes = objects.length ? `; boxes around ${objects.join(", ")}` : "";
  return `Image ${item.image.name}${boxes}`;
}

function drawBoxes(item) {
  const { width, height } = item.image;
  const svg = document.createElementNS(SVG, "svg");
  const draw = (tag, attributes, text = "") => {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    shape.textContent = text;
    svg.append(shape);
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  for (const { object, x0, y0, x1, y1 } of item.boxes) {
    const place = { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) };
    draw("rect", { ...place, class: "halo" });
    draw("rect", { ...place, class: "line" });
    draw("text", { x: x0, y: y0, dx: "0.4em", dy: "1.2em" }, object.slice(0, LONGEST_LABEL));
  }
  return svg;
}

/** What stands in the stage where an image cannot be shown. */
export function explain(text) {
  byId("stage-message").hidden = !text;
  byId("stage-message").replaceChildren(make("span", { textContent: text ?? "" }));
}
