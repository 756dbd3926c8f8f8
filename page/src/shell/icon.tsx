// The page's icons: strokes on a grid of 16.

const PATHS = {
  plus: "M8 3.5v9M3.5 8h9",
  x: "M4 4l8 8M12 4l-8 8",
  check: "M3.5 8.5l3 3 6-7",
  chevron: "M6 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  "arrow-up": "M8 13V3.5M4 7l4-4 4 4",
  "arrow-down": "M8 3v9.5M4 9l4 4 4-4",
  stop: "M5 5h6v6H5z",
  sidebar: "M2.5 3.5h11v9h-11zM6.2 3.5v9",
  panel: "M2.5 3.5h11v9h-11zM9.8 3.5v9",
  search: "M7 11.5a4.5 4.5 0 100-9 4.5 4.5 0 000 9zM10.4 10.4l3.1 3.1",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  folder: "M2.5 4h4l1.5 1.7h5.5v7h-11z",
  terminal: "M3 4.5L6.5 8 3 11.5M8 12h5",
  edit: "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3zM9.2 4.5l2.3 2.3",
  trash: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5M6.8 7v3.5M9.2 7v3.5",
  branch: "M5 3v7M5 13a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM11 6a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM11 6c0 3-6 1.5-6 4",
  commit: "M8 10.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM1.5 8h4M10.5 8h4",
  download: "M8 2.5V10M4.5 7L8 10.5 11.5 7M3 13.5h10",
  copy: "M6 6h7v7H6zM3 10V3h7",
  refresh: "M13 8a5 5 0 11-1.6-3.7M13 2.5v2.3h-2.3",
  clock: "M8 13.5a5.5 5.5 0 100-11 5.5 5.5 0 000 11zM8 5v3.2l2 1.3",
  shield: "M8 2.2l4.8 1.8v3.7c0 3-2 5-4.8 6.1-2.8-1.1-4.8-3.1-4.8-6.1V4z",
  alert: "M8 2.8l5.8 10.4H2.2zM8 6.7v3M8 11.4v.1",
  info: "M8 13.5a5.5 5.5 0 100-11 5.5 5.5 0 000 11zM8 7.4v3.4M8 5.2v.1",
  sun: "M8 10.8a2.8 2.8 0 100-5.6 2.8 2.8 0 000 5.6zM8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M12.4 3.6l-1 1M4.6 11.4l-1 1",
  moon: "M13 9.6A5.4 5.4 0 016.4 3a5.4 5.4 0 106.6 6.6z",
  half: "M8 13.5a5.5 5.5 0 100-11 5.5 5.5 0 000 11zM8 2.5v11",
  dots: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  plan: "M2.5 4l1 1 1.8-2M2.5 8.5l1 1 1.8-2M2.5 13l1 1 1.8-2M7.5 4.2h6M7.5 8.7h6M7.5 13.2h6",
  globe: "M8 13.5a5.5 5.5 0 100-11 5.5 5.5 0 000 11zM2.5 8h11M8 2.5c2 1.8 2.4 3.6 2.4 5.5S10 11.7 8 13.5C6 11.7 5.6 9.9 5.6 8S6 4.3 8 2.5z",
  spark: "M8 2.5l1.4 4.1L13.5 8l-4.1 1.4L8 13.5l-1.4-4.1L2.5 8l4.1-1.4z",
  tool: "M9.8 6.2a3 3 0 003.9-3.4l-1.8 1.8-1.6-.5-.4-1.6 1.8-1.8a3 3 0 00-3.8 3.9L2.6 10a1.6 1.6 0 102.3 2.3z",
  key: "M6 10.5a3 3 0 100-6 3 3 0 000 6zM8.8 7.5h5v2M11.5 7.5v1.7",
  clip: "M12.5 7.5l-5 5a3 3 0 01-4.2-4.2l5.6-5.6a2 2 0 012.8 2.8l-5.5 5.5a1 1 0 01-1.4-1.4l5-5",
  undo: "M3 6.5h6.5a3.5 3.5 0 010 7H6M5.5 3.5l-3 3 3 3",
  fork: "M4.5 5.5a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM11.5 5.5a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM8 13.5a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM4.5 5.5c0 2.5 3.5 2 3.5 5M11.5 5.5c0 2.5-3.5 2-3.5 5",
  sliders: "M2.5 4.5h5M11 4.5h2.5M2.5 11.5H5M8.5 11.5h5M9.2 6.2a1.7 1.7 0 100-3.4 1.7 1.7 0 000 3.4zM6.8 13.2a1.7 1.7 0 100-3.4 1.7 1.7 0 000 3.4z",
  play: "M5 3.5l7.5 4.5L5 12.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  keyboard: "M1.8 4.5h12.4v7H1.8zM4.2 7h.01M6.7 7h.01M9.2 7h.01M11.7 7h.01M5 9.4h6",
  columns: "M2.5 3.5h11v9h-11zM8 3.5v9",
  rows: "M2.5 3.5h11v9h-11zM2.5 8h11",
  image: "M2.5 3.5h11v9h-11zM2.5 10.5l3-3 3 3 2-2 3 3M10 6.3h.01",
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration: whatever it stands in has a label of its own. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
