/** Finds a cell's band, line and point in the drawn curve, and the cell that a mouse is near to. */
import { lineName, pointName } from '../figures/tradeoff';
import type { LiveCell } from './shown';

/** How far from a point one may be to mean it, in CSS pixels. */
const NEAR = 12;

const placeOf = ({ network, recipe, remainingWeights }: LiveCell) => ({
  ...{ network, recipe, remaining_weights: remainingWeights },
});

interface Point {
  cell: LiveCell;
  /** Pixels from the picture's corner. */
  x: number;
  y: number;
}

export class Parts {
  private readonly named = new Map<string, Element[]>();
  private points: Point[] | undefined;
  private marked: Element[] = [];

  /**
   * @param picture drawn with the names of its parts as `aria-label`, which it need not keep
   * @param cells that are drawn
   */
  constructor(
    private readonly picture: Element,
    private readonly cells: readonly LiveCell[],
  ) {
    const names = new Set(cells.map(placeOf).flatMap((place) => [lineName(place), pointName(place)]));
    for (const element of picture.querySelectorAll('[aria-label]')) {
      const name = element.getAttribute('aria-label')!;
      if (!names.has(name)) continue;
      element.classList.add('part');
      this.named.set(name, [...(this.named.get(name) ?? []), element]);
    }
  }

  /** Lets a cell's parts stand out; nothing, or a cell that is not drawn, lets all be alike. */
  mark(cell: LiveCell | undefined): void {
    for (const element of this.marked) element.classList.remove('marked');
    const point = cell === undefined ? undefined : this.named.get(pointName(placeOf(cell)));
    this.marked = point === undefined ? [] : [...(this.named.get(lineName(placeOf(cell!))) ?? []), ...point];
    for (const element of this.marked) element.classList.add('marked');
    this.picture.classList.toggle('hasMarked', this.marked.length > 0);
  }

  /** The cell whose point is the nearest, if one is near. */
  at({ clientX, clientY }: MouseEvent): LiveCell | undefined {
    const corner = this.picture.getBoundingClientRect();
    this.points ??= this.measure(corner);
    const [x, y] = [clientX - corner.left, clientY - corner.top];
    let [nearest, least]: [LiveCell | undefined, number] = [undefined, NEAR];
    for (const point of this.points) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < least) [nearest, least] = [point.cell, distance];
    }
    return nearest;
  }

  private measure(corner: DOMRect): Point[] {
    return this.cells.flatMap((cell) => {
      const box = this.named.get(pointName(placeOf(cell)))?.[0]?.getBoundingClientRect();
      if (box === undefined) return [];
      return [{ cell, x: box.left + box.width / 2 - corner.left, y: box.top + box.height / 2 - corner.top }];
    });
  }
}
