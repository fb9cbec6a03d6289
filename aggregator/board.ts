/** One sweep as it stands, in memory: the cells, and how far it is. */
import type { PublishedSweep } from '../bus/bus';
import { type Cell, type CellPlace, fillCells } from '../sweep/cells';
import type { MeasuredCell } from '../sweep/compare';
import { definitionId } from '../sweep/definition';
import type { BoardContent, Fact } from './store';
import { type Axes, axesOf } from './table';

/** Of so many records that came last the times are kept, to tell how fast they come. */
const TIMES = 64;

export interface Counts {
  total: number;
  recorded: number;
  /** Without a record, and known to have none. */
  failed: number;
  missing: number;
}

/** A cell as pages are told of it. */
export interface ToldCell extends Cell {
  /** Its place among the cells of the sweep. */
  at: number;
  /** Trials known to have no record; absent for none. */
  failed?: number;
}

export class Board {
  readonly axes: Axes;
  readonly id: string;
  /** Place of the grid by trial id. */
  private readonly points: ReadonlyMap<string, number>;
  /** By place of the grid; NaN for what is not recorded. */
  private readonly accuracies: Float64Array;
  private readonly failures = new Set<number>();
  /** Trials that were measured twice with different results. */
  readonly conflicts = new Set<string>();
  private recorded = 0;
  /** Changes with every change. */
  version = 0;
  /** The places of each count, the smallest first. */
  private readonly byCount: CellPlace[][];
  private cached: { version: number; cells: Cell[] } | undefined;
  private readonly times: number[] = [];

  private readonly places: readonly CellPlace[];
  /** By place of the grid: the cell. By cell: the version at which it last changed. */
  private readonly cellOfPoint: Uint32Array;
  private readonly changed: Float64Array;

  /** @param content what the store has of the sweep */
  constructor(
    readonly published: PublishedSweep,
    { places, trials, accuracies, facts }: BoardContent,
  ) {
    this.places = places;
    const { sweep, shape } = published.definition;
    this.axes = axesOf(sweep.spec, shape);
    this.id = definitionId(published.definition);
    this.points = new Map(trials.map((trial, point) => [trial, point]));
    this.accuracies = Float64Array.from(accuracies, (accuracy) => accuracy ?? Number.NaN);
    this.recorded = accuracies.filter((accuracy) => accuracy !== null).length;
    this.cellOfPoint = new Uint32Array(trials.length);
    for (const [cell, { points }] of places.entries()) for (const point of points) this.cellOfPoint[point] = cell;
    this.changed = new Float64Array(places.length);
    const byCount = Map.groupBy(places, ({ remainingWeights }) => remainingWeights);
    this.byCount = [...byCount].sort(([a], [b]) => a - b).map(([, same]) => same);
    for (const fact of facts) this.note(fact);
  }

  /** @returns whether the trial is one of the sweep's */
  note({ kind, trial, accuracy }: Fact): boolean {
    const point = this.points.get(trial);
    if (point === undefined) return false;
    if (kind === 'failure') this.failures.add(point);
    if (kind === 'conflict') this.conflicts.add(trial);
    if (kind === 'record') {
      if (Number.isNaN(this.accuracies[point])) this.recorded++;
      this.accuracies[point] = accuracy!;
    }
    this.version++;
    this.changed[this.cellOfPoint[point]!] = this.version;
    return true;
  }

  /** @param now in seconds, when a record came that was not there before */
  tick(now: number): void {
    this.times.push(now);
    if (this.times.length > TIMES) this.times.shift();
  }

  get counts(): Counts {
    const total = this.accuracies.length;
    let failed = 0;
    for (const point of this.failures) if (Number.isNaN(this.accuracies[point])) failed++;
    return { total, recorded: this.recorded, failed, missing: total - this.recorded - failed };
  }

  /** Seconds that the missing trials take at the pace of the last ones; undefined before there is a pace. */
  timeLeft(now: number): number | undefined {
    const { missing } = this.counts;
    const [first] = this.times;
    if (first === undefined || this.times.length < 2 || now <= first) return undefined;
    return (missing * (now - first)) / (this.times.length - 1);
  }

  /** Records a minute, at the pace of the last ones; none after a minute without any. */
  recordsPerMinute(now: number): number {
    const recent = this.times.filter((time) => now - time < 60);
    const [first] = recent;
    return first === undefined || recent.length < 2 || now <= first ? 0 : (60 * (recent.length - 1)) / (now - first);
  }

  /** The cell that a trial is of, by its place among the cells. */
  cellOf(trial: string): number | undefined {
    const point = this.points.get(trial);
    return point === undefined ? undefined : this.cellOfPoint[point];
  }

  /**
   * The cells that changed after a version, each with its place among the cells and how many of its trials failed.
   *
   * @param seeds the cells are of their trials alone; all when nothing is said
   */
  cellsAfter(version: number, seeds?: ReadonlySet<number>): ToldCell[] {
    const all = this.published.definition.sweep.spec.seeds;
    // A cell has a trial a seed, in the order of the seeds.
    const chosen = (place: CellPlace) =>
      seeds === undefined ? place : { ...place, points: place.points.filter((_, at) => seeds.has(all[at]!)) };
    const places = this.places.flatMap((place, at) =>
      this.changed[at]! > version ? [{ place: chosen(place), at }] : [],
    );
    const filled = this.fill(places.map(({ place }) => place));
    return filled.map((cell, index) => {
      const { at, place } = places[index]!;
      const failed = place.points.filter((point) => this.failures.has(point) && Number.isNaN(this.accuracies[point]));
      return { at, ...cell, ...(failed.length === 0 ? {} : { failed: failed.length }) };
    });
  }

  get cells(): Cell[] {
    if (this.cached?.version !== this.version) this.cached = { version: this.version, cells: this.fill(this.places) };
    return this.cached.cells;
  }

  /** What is measured of every cell, by seed. */
  measured(): MeasuredCell[] {
    const trials = [...this.points.keys()];
    const { seeds } = this.published.definition.sweep.spec;
    return this.places.map(({ network, recipe, remainingWeights, points }) => ({
      ...{ network, recipe, remainingWeights },
      // A cell has a trial a seed, in the order of the seeds.
      replicates: points.flatMap((point, at) => {
        const accuracy = this.accuracies[point]!;
        return Number.isNaN(accuracy) ? [] : [{ seed: seeds[at]!, trial: trials[point]!, accuracy }];
      }),
    }));
  }

  /** Of the cells at the smallest count that has a mean, the best. */
  get best(): Cell | undefined {
    const isRecorded = (point: number) => !Number.isNaN(this.accuracies[point]);
    const group = this.byCount.find((places) => places.some(({ points }) => points.some(isRecorded)));
    return this.fill(group ?? [])
      .filter(({ mean }) => mean !== undefined)
      .reduce<Cell | undefined>(
        (best, cell) => (best === undefined || cell.mean! > best.mean! ? cell : best),
        undefined,
      );
  }

  private fill(places: readonly CellPlace[]): Cell[] {
    return fillCells(places, (point) => {
      const accuracy = this.accuracies[point]!;
      return Number.isNaN(accuracy) ? undefined : accuracy;
    });
  }
}
