import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { connectNats } from '../../../bus/nats/connect';
import { ensureStreams } from '../../../bus/nats/streams';
import { configMapOf, jobOf } from '../../../controller/kubernetes/manifests';
import type { Stage } from '../../../controller/kubernetes/plan';
import { acceptSweep, sweepYaml } from '../../../sweep/accept';
import { gridSize, packCount } from '../../../sweep/grid';
import { prunesweep } from '../../cli/prunesweep';
import { MNIST } from '../../fixtures';
import { temporaryFolder } from '../../idxfiles';
import { hasNats, NatsServer, whyNoNats } from '../../servers/nats';
import { jobOfSweep, PODS, planOfSweep, sweepOf } from './sweeps';

describe("a sweep's pod", () => {
  const podOf = (template: object, settings: object = {}, stage = 0) => {
    const sweep = sweepOf({ template });
    const plan = planOfSweep(sweep);
    return jobOf(sweep, plan, plan.stages[stage]!, 1, { ...PODS, ...settings }).spec!.template.spec!;
  };
  const placement = { nodeSelector: { gpu: 'yes' }, tolerations: [{ key: 'gpu', operator: 'Exists' }] };
  const gpuPods = { image: 'prunesweep:gpu', ...placement };

  it('asks for one GPU, or for the part of one that it names', () => {
    const limits = (template: object) => podOf({ accelerator: 'gpu', ...template }).containers[0]!.resources!.limits!;
    expect(limits({})).toMatchObject({ 'nvidia.com/gpu': '1', memory: expect.stringMatching(/Mi$/) });
    const part = 'nvidia.com/mig-1g.10gb';
    expect(limits({ gpuResource: part, resources: { limits: { memory: '1Gi' } } })).toEqual({
      [part]: '1',
      memory: '1Gi',
    });
    expect(limits({ resources: { limits: { 'nvidia.com/gpu': '2' } } })).toEqual({ 'nvidia.com/gpu': '2' });
    expect(Object.keys(podOf({ gpuResource: part }).containers[0]!.resources!.limits!)).toEqual(['memory']);
  });

  it('with a GPU runs where the cluster keeps them, if the sweep says nothing else', () => {
    expect(podOf({ accelerator: 'gpu' }, { gpuPods })).toMatchObject(placement);
    expect(podOf({ accelerator: 'gpu', nodeSelector: { a: 'b' } }, { gpuPods })).toMatchObject({
      ...placement,
      nodeSelector: { a: 'b' },
    });
    expect(podOf({}, { gpuPods })).not.toMatchObject(placement);
  });

  it('is of the image with TensorFlow in it when it has a GPU, and there is one', () => {
    const imageOf = (template: object, settings: object) => podOf(template, settings).containers[0]!.image;
    expect(imageOf({ accelerator: 'gpu' }, { gpuPods })).toBe('prunesweep:gpu');
    expect(imageOf({ accelerator: 'gpu' }, {})).toBe(PODS.image);
    expect(imageOf({}, { gpuPods })).toBe(PODS.image);
  });

  it('that prunes what a GPU trained has a core, on any node, of the image of cores', () => {
    const template = {
      ...{ accelerator: 'gpu', retrainOn: 'cpu', nodeSelector: { a: 'b' } },
      resources: { limits: { memory: '9Gi' } },
    };
    const [dense, pruned] = [podOf(template, { gpuPods }), podOf(template, { gpuPods }, 1)];
    expect(dense.containers[0]!.args).toEqual(expect.arrayContaining(['--part', 'dense']));
    expect(dense).toMatchObject({ nodeSelector: { a: 'b' }, tolerations: placement.tolerations });
    const [container] = pruned.containers;
    expect(container!.args).toEqual(expect.arrayContaining(['--part', 'pruned']));
    expect(container).toMatchObject({ image: PODS.image, resources: podOf({}).containers[0]!.resources });
    expect(pruned).not.toHaveProperty('nodeSelector');
    expect(pruned).not.toHaveProperty('tolerations');
  });

  it('plans the packs that the controller counted', () => {
    const template = {
      ...{ accelerator: 'gpu', gpuResource: 'nvidia.com/mig-1g.5gb', allowCpu: true },
      nodeSelector: { a: 'b' },
    };
    const grid = { hiddenWidths: [[9000, 9000], [300]], pruneRatios: [0], seeds: 9, template };
    const sweep = sweepOf(grid);
    const plan = planOfSweep(sweep);
    const [{ packs }] = plan.stages as [Stage];
    const { spec } = acceptSweep(parse(configMapOf(sweep, plan, plan.stages[0]!).data!['sweep.yaml']!), MNIST);
    expect(spec.template).toEqual({ accelerator: 'gpu', gpuResource: 'nvidia.com/mig-1g.5gb', allowCpu: true });
    expect(gridSize(spec, MNIST).packs).toBe(packs);
    expect(packs).toBeLessThan(18);
    const parts = sweepOf({ ...grid, template: { ...template, retrainOn: 'cpu' } });
    const { stages, ...rest } = planOfSweep(parts);
    expect(stages.map((stage) => [stage.part, stage.packs])).toEqual([
      ['dense', packs],
      ['pruned', 18],
    ]);
    for (const stage of stages) {
      const text = configMapOf(parts, { stages, ...rest }, stage).data!['sweep.yaml']!;
      expect(packCount(acceptSweep(parse(text), MNIST).spec, MNIST, stage.part!)).toBe(stage.packs);
    }
  });
});

const MEBIBYTES = /^(\d+)Mi$/;

describe.runIf(hasNats)(`the memory that a pod asks for${whyNoNats}`, () => {
  it.each([
    ['a small network', [50]],
    ['a network of the article', [300, 100]],
    ['a large one', [2000, 1000]],
  ])('is, within 30 %%, the peak (VmHWM) of its trainer of %s', async (_, widths) => {
    const server = await NatsServer.start();
    onTestFinished(() => server.stop());
    const link = await connectNats({ url: server.url }, 'test', () => {});
    onTestFinished(() => link.connection.close());
    await ensureStreams(link);
    const spec = { hiddenWidths: [widths], pruneRatios: [0.5], seeds: 1 };
    const sweep = sweepOf({ ...spec, training: { epochs: 1 }, retraining: { epochs: 1 } });
    const file = join(temporaryFolder(), 'sweep.yaml');
    writeFileSync(file, sweepYaml(planOfSweep(sweep).definition.sweep));
    const { code, megabytes } = await prunesweep('trainer', '--nats', server.url, '--sweep', file, '--pack', '0');
    expect(code).toBe(0);
    const { resources } = jobOfSweep(sweep).spec!.template.spec!.containers[0]!;
    const asked = Number(MEBIBYTES.exec(resources!.requests!.memory!)![1]);
    expect(megabytes / asked).toBeGreaterThan(0.7);
    expect(megabytes / asked).toBeLessThan(1.3);
  });
});
