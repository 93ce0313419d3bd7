// What this browser remembers for one person. A second net only: where storage is full or forbidden, nothing is remembered.

/** Keep a value (null: forget it), for this tab only where `storage` is sessionStorage. */
export function keep(key, value, storage = "localStorage") {
  try {
    if (value === null) window[storage].removeItem(key);
    else window[storage].setItem(key, JSON.stringify(value));
  } catch {
    return;
  }
}

export function recall(key, storage = "localStorage") {
  try {
    return JSON.parse(window[storage].getItem(key) ?? "null");
  } catch {
    return null;
  }
}
