// What the browser keeps: the theme. A browser that keeps nothing is no error. The page where one logs in reads it too.

const NAME = (key: string) => `waypost-${key}`;

export function kept(key: "theme"): string | null {
  try {
    return localStorage.getItem(NAME(key));
  } catch {
    return null;
  }
}

export function keep(key: "theme", value: string): void {
  try {
    localStorage.setItem(NAME(key), value);
  } catch {
    // It is asked for again next time.
  }
}

export function forget(key: "theme"): void {
  try {
    localStorage.removeItem(NAME(key));
  } catch {
    // Nothing was kept.
  }
}
