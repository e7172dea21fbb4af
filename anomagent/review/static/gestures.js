// Wheel, drag and pinch on the stage, told as zooms around a point and as moves.

const WHEEL = 0.0015; // of the zoom's logarithm, for a pixel of the wheel
const PINCH_PAD = 0.01; // the same for a pinch on a touch pad, which comes as a wheel with Ctrl
const LINE = 16; // pixels of a wheel that counts in lines

/** Call `zoom(factor, x, y)` and `pan(dx, dy)`, all in CSS pixels of `stage`, for what a person does on it. */
export function follow(stage, { zoom, pan }) {
  const pointers = new Map();

  const place = (event) => {
    const frame = stage.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };

  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = place(event);
      const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
      zoom(Math.exp(-pixels * (event.ctrlKey ? PINCH_PAD : WHEEL)), x, y);
    },
    { passive: false },
  );

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    if (pointers.size === 1) pan(now.x - before.x, now.y - before.y);
    if (pointers.size === 2) pinch(before, now, other);
  });

  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }

  function pinch(before, now, other) {
    const apart = (a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
    pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    zoom(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
  }
}
