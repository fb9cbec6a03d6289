/**
 * The life of a lineage: one dense network is trained, and every trial is pruned from it. Each step begins with "if its
 * checkpoint is there, go on from it". Nothing depends on the order of work: every step draws its random numbers from a
 * stream of its own.
 */
import { hostname } from 'node:os';
import type { Bus, CheckpointName, LineageCheckpoints } from '../bus/bus';
import { trialsOf } from '../sweep/grid';
import { layerIndex, networkName, recipeName, weightCount } from '../sweep/networks';
import type { Part } from '../sweep/packs';
import { RECORD_VERSION } from '../sweep/record';
import type { Lineage, Trial } from '../sweep/trial';
import {
  decodeFit,
  decodeNetwork,
  encodeFit,
  encodeNetwork,
  type FitCheckpoint,
  type NetworkCheckpoint,
} from './checkpoint';
import { Diverged, type Engine } from './engine/engine';
import { initialise } from './initialise';
import { type Measured, measure } from './measure';
import { fullMasks, type Masks, maskedParameters, type Parameters, zeroParameters } from './network';
import { prune } from './prune';
import { PHASES, type Phase } from './prune/recovery';
import { RandomStream } from './random';

export interface LineageContext {
  engine: Engine;
  bus: Bus;
  checkpoints: LineageCheckpoints;
  images: { train: number; validation: boolean; probe: number };
  /** Whether the trial needs no work: its record is in the ledger, and its network kept if it is to be. */
  isDone(trial: Trial): boolean;
  /** Keeps a network, durably, before its record is published. */
  keepNetwork?: (trial: Trial, parameters: Parameters) => void;
  /** Told of trials that can have no record, since their network diverged. */
  failed(trials: Trial[], reason: string): void;
  /** What of the lineage is done here; all when absent. */
  part?: Part;
  worker: number;
  versions: Record<string, string>;
  /** What a kill costs at most, beside the epoch at work. */
  secondsBetweenCheckpoints: number;
  /** Whether the lineage is to end after the epoch at work, with a checkpoint that it goes on from as if it had not. */
  isStopping?(): boolean;
}

/** In the place of a checkpoint that is not needed any more. */
const NONE = new Uint8Array();

/** A lineage that was asked to end has done so. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Trains, prunes and records what is missing of a lineage; its checkpoints are forgotten when none goes on from them. */
export async function trainLineage(lineage: Lineage, context: LineageContext): Promise<void> {
  const isOver = await new LineageRun(lineage, context).run();
  if (isOver) context.checkpoints.clear();
  // Of what waits for others the dense network alone is of use, and a fit is more than twice as large.
  else context.checkpoints.put('fit', NONE);
}

class LineageRun {
  private readonly total: number;
  /** Hidden layers without a ReLU. */
  private readonly linear: number[];
  private lastCheckpoint = performance.now();
  /** The step that was at work when the lineage was last stopped. */
  private interrupted: FitCheckpoint | undefined;
  private denseMeasured: Measured | undefined;
  private denseBy: string | undefined;

  constructor(
    private readonly lineage: Lineage,
    private readonly context: LineageContext,
  ) {
    this.total = weightCount(lineage.sizes);
    this.linear = (lineage.content.training.linear ?? []).map(layerIndex);
    this.interrupted = this.load('fit', decodeFit);
  }

  /** @returns whether there is nothing left to do, here or elsewhere */
  async run(): Promise<boolean> {
    const { isDone, part } = this.context;
    const missing = this.lineage.chains.flat().filter((trial) => !isDone(trial));
    if (missing.length === 0) return true;
    let dense: NetworkCheckpoint;
    try {
      dense = await this.denseNetwork();
    } catch (error) {
      this.fail(missing, error);
      return true;
    }
    const chains = trialsOf(this.lineage, part);
    const begun = this.load('pruned', decodeNetwork);
    const isBegun = (chain: Trial[]) => chain.some(({ id }) => id === begun?.step || id === this.interrupted?.step);
    // First the chain that was at work: the next one's checkpoints replace its.
    for (const chain of [...chains.filter(isBegun), ...chains.filter((other) => !isBegun(other))])
      await this.walk(chain, dense, begun);
    const here = new Set(chains.flat());
    return missing.every((trial) => here.has(trial));
  }

  /** The trials of one recipe, by falling count. */
  private async walk(chain: Trial[], dense: NetworkCheckpoint, begun: NetworkCheckpoint | undefined): Promise<void> {
    const { isDone } = this.context;
    const iterative = chain[0]?.content.recipe.schedule === 'iterative';
    const places = [begun?.step, this.interrupted?.step].map((step) => chain.findIndex(({ id }) => id === step));
    const start = Math.max(0, ...places.filter((place) => chain.slice(0, Math.max(place, 0)).every(isDone)));
    let from = dense;
    for (const [at, trial] of chain.entries()) {
      const rest = (iterative ? chain.slice(at) : [trial]).filter((other) => !isDone(other));
      if (at < start || rest.length === 0) continue;
      try {
        const isDense = trial.content.remainingWeights === this.total;
        const network = isDense ? dense : trial.id === begun?.step ? begun : await this.prunedNetwork(trial, from);
        if (iterative) from = network;
        if (!isDone(trial)) await this.record(trial, network);
      } catch (error) {
        this.fail(rest, error);
        if (iterative) return;
      }
    }
  }

  private async denseNetwork(): Promise<NetworkCheckpoint> {
    const known = this.load('dense', decodeNetwork);
    this.denseBy = known === undefined ? this.engine : known.trainedBy;
    if (known !== undefined) return known;
    const { sizes, content } = this.lineage;
    const at = { step: 'dense', phase: 0, thresholds: sizes.slice(1).map(() => 0), masks: fullMasks(sizes) };
    const phase = { epochs: content.training.epochs, free: true };
    const { parameters, seconds } = await this.fit(at, initialise(sizes, content.seed), phase, 1, 0);
    const { masks, thresholds } = at;
    const network = { ...{ step: at.step, masks, thresholds, parameters, seconds }, trainedBy: this.engine };
    this.context.checkpoints.put('dense', encodeNetwork(network));
    return network;
  }

  private async prunedNetwork(trial: Trial, from: NetworkCheckpoint): Promise<NetworkCheckpoint> {
    const { recipe, retraining, remainingWeights, seed } = trial.content;
    const toCount = (parameters: Parameters, among: Masks, phase: number) => {
      const stream = new RandomStream(seed, 'prune', remainingWeights, phase);
      const { masks, thresholds } = prune(parameters.weights, among, recipe, remainingWeights, stream);
      return { masks, thresholds, parameters: maskedParameters(parameters, masks) };
    };
    const interrupted = this.interrupted?.step === trial.id ? this.interrupted : undefined;
    let network = interrupted
      ? { ...interrupted, parameters: interrupted.state.parameters }
      : toCount(from.parameters, from.masks, 0);
    let seconds = 0;
    for (const [index, phase] of PHASES[recipe.recovery](retraining?.epochs ?? 0).entries()) {
      if (interrupted !== undefined && index < interrupted.phase) continue;
      const at = { step: trial.id, phase: index, masks: network.masks, thresholds: network.thresholds };
      const done = await this.fit(at, network.parameters, phase, retraining?.learningRateFactor ?? 1, seconds, trial);
      seconds = done.seconds;
      network = phase.free
        ? toCount(done.parameters, fullMasks(this.lineage.sizes), index + 1)
        : { ...at, parameters: done.parameters };
    }
    const { masks, thresholds, parameters } = network;
    const pruned = { step: trial.id, masks, thresholds, parameters, seconds };
    this.saveIfDue('pruned', () => encodeNetwork(pruned));
    return pruned;
  }

  /**
   * Trains `start` through one phase, or goes on where it was interrupted.
   * @param spent seconds of the step before this phase
   * @param trial absent for the dense network
   */
  private async fit(
    at: Pick<FitCheckpoint, 'step' | 'phase' | 'masks' | 'thresholds'>,
    start: Parameters,
    phase: Phase,
    rateFactor: number,
    spent: number,
    trial?: Trial,
  ): Promise<{ parameters: Parameters; seconds: number }> {
    const { sizes, content } = this.lineage;
    const { engine, images } = this.context;
    const { seed, training } = content;
    const { linear: _, ...settings } = training;
    const interrupted = this.interrupted?.step === at.step && this.interrupted.phase === at.phase;
    const from = interrupted ? this.interrupted! : undefined;
    if (from !== undefined) this.interrupted = undefined;
    const began = performance.now();
    const seconds = () => (from?.seconds ?? spent) + (performance.now() - began) / 1000;
    const zeros = () => zeroParameters(sizes);
    const state = from?.state ?? { parameters: start, first: zeros(), second: zeros(), epoch: 0 };
    if (at.phase > 0) this.saveIfDue('fit', () => encodeFit({ ...at, state, seconds: seconds() }));
    const done = await engine.fit({
      sizes,
      linear: this.linear,
      settings: { ...settings, epochs: phase.epochs, learningRate: training.learningRate * rateFactor },
      ...(phase.free ? {} : { masks: at.masks }),
      start: state,
      // The same batches for every recipe at a count, so that recipes are compared on the same draws.
      order: (epoch) =>
        new RandomStream(seed, 'order', trial?.content.remainingWeights ?? 'dense', at.phase, epoch).permutation(
          images.train,
        ),
      onEpoch: ({ epoch, loss, accuracy, snapshot }) => {
        this.context.bus.progress({
          lineage: this.lineage.id,
          network: networkName(content.hiddenWidths),
          seed,
          step: trial === undefined ? 'dense' : stepName(trial),
          ...(trial === undefined ? {} : { trial: trial.id }),
          ...{ epoch, epochs: phase.epochs, loss, accuracy },
        });
        if (epoch === phase.epochs) return;
        this.saveIfDue('fit', () => encodeFit({ ...at, state: snapshot(), seconds: seconds() }));
      },
    });
    return { parameters: done.parameters, seconds: seconds() };
  }

  private async record(trial: Trial, network: NetworkCheckpoint): Promise<void> {
    const { engine, images, bus, keepNetwork, worker, versions } = this.context;
    const began = performance.now();
    const measureIt = () => measure(engine, this.lineage.sizes, network.parameters, network.masks, this.linear, images);
    let measured: Measured;
    if (network.step === 'dense') measured = this.denseMeasured ??= await measureIt();
    else measured = await measureIt();
    const evaluationSeconds = (performance.now() - began) / 1000;
    keepNetwork?.(trial, network.parameters);
    const isFromElsewhere = this.denseBy !== undefined && this.denseBy !== this.engine;
    await bus.publish({
      version: RECORD_VERSION,
      id: trial.id,
      trial: trial.content,
      engine: engine.name,
      ...measured,
      thresholdByLayer: network.thresholds,
      cost: {
        ...{ trainingSeconds: network.seconds, evaluationSeconds, worker, host: hostname() },
        versions: isFromElsewhere ? { ...versions, denseEngine: this.denseBy! } : versions,
      },
    });
  }

  /** `tfjs 4.22.0`; wasm is of prunesweep's version. */
  private get engine(): string {
    const { engine, versions } = this.context;
    return [engine.name, versions[engine.name] ?? []].flat().join(' ');
  }

  private load<T>(name: CheckpointName, decode: (bytes: Uint8Array, sizes: readonly number[]) => T): T | undefined {
    const bytes = this.context.checkpoints.get(name);
    return bytes === undefined || bytes.length === 0 ? undefined : decode(bytes, this.lineage.sizes);
  }

  /** Called where the checkpoint holds all that was done: there a lineage that is asked to end does so. */
  private saveIfDue(name: CheckpointName, encode: () => Uint8Array): void {
    const isStopping = this.context.isStopping?.() === true;
    const isDue = performance.now() - this.lastCheckpoint >= 1000 * this.context.secondsBetweenCheckpoints;
    if (!isDue && !isStopping) return;
    this.context.checkpoints.put(name, encode());
    this.lastCheckpoint = performance.now();
    if (isStopping) throw new Stopped();
  }

  private fail(trials: Trial[], error: unknown): void {
    if (!(error instanceof Diverged)) throw error;
    this.context.failed(trials, error.message);
  }
}

const stepName = ({ content }: Trial) => `${recipeName(content.recipe)} ${content.remainingWeights}`;
