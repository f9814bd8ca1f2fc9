// What the browser keeps: the theme for good, the token for as long as the tab is open. A browser that keeps nothing is no error.

const NAME = (key: string) => `waypost-${key}`;
const store = (key: string) => (key === "token" ? sessionStorage : localStorage);

export function kept(key: "theme" | "token"): string | null {
  try {
    return store(key).getItem(NAME(key));
  } catch {
    return null;
  }
}

export function keep(key: "theme" | "token", value: string): void {
  try {
    store(key).setItem(NAME(key), value);
  } catch {
    // It is asked for again next time.
  }
}

export function forget(key: "theme" | "token"): void {
  try {
    store(key).removeItem(NAME(key));
  } catch {
    // Nothing was kept.
  }
}
