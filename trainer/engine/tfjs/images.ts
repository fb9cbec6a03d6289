/** The data set in the memory of the device, each subset from when it is first used. */
import type { SharedImages, SubsetName } from '../../data/images';
import type { TensorId } from './binding';
import type { Device } from './device';

export interface DeviceImages {
  count: number;
  /** [count, inputs], from 0 to 1. */
  pixels: TensorId;
  /** Integers, [count]. */
  labels: TensorId;
}

export class ImageStore {
  private readonly known = new Map<SubsetName, DeviceImages>();

  constructor(
    private readonly device: Device,
    private readonly images: SharedImages,
  ) {}

  get(name: SubsetName): DeviceImages {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const { device, images } = this;
    const { count, labels } = this.subset(name);
    const made = {
      count,
      pixels: device.floats([count, images.inputs], this.pixels(name)),
      labels: device.integers([count], new Uint8Array(images.memory.buffer, labels, count)),
    };
    this.known.set(name, made);
    return made;
  }

  private subset(name: SubsetName) {
    const subset = this.images.subsets[name];
    if (subset === undefined) throw new Error(`this data set has no ${name} images`);
    return subset;
  }

  /** In the order of the inputs: the shared memory has them by position. */
  private pixels(name: SubsetName): Float32Array {
    const { count, rows } = this.subset(name);
    const { memory, rowBytes, position, inputs } = this.images;
    const bytes = new Uint8Array(memory.buffer, rows, count * rowBytes);
    const pixels = new Float32Array(count * inputs);
    for (let image = 0; image < count; image++)
      for (let input = 0; input < inputs; input++)
        pixels[image * inputs + input] = bytes[image * rowBytes + position[input]!]! / 255;
    return pixels;
  }
}
