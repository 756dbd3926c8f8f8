/** Two players share it. */
export interface BoardState {
  points: Point[];
  lastMove: Point | null;
}

/** A point on the board. */
export interface Point {
  x: number;
  /** Height, if known. */
  y: number | null;
}

/** A point on the board. */
export interface PointInput {
  x: number;
  /** Height, if known. */
  y?: number | null;
}

/** A board to play on. */
export interface Board {
  state: BoardState;
  /**
   * Places a point.
   *
   * It stays there.
   */
  place(point: PointInput, color?: string | null): Promise<BoardState>;
  "clear-all"(default_: boolean): Promise<void>;
  load(data: unknown /* derive hostel::JsonSchema for NoSchema */, more: unknown): Promise<[number, string][]>;
  /** Streams `Point`: pass `{ stream: { onChunk(chunk) { .. } } }` to `call`. */
  watch(): Promise<void>;
}
