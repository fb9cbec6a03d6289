/** A network's parameters, and what training keeps beside them. */
export interface Parameters {
  /** One matrix a layer, [in, out], row-major. */
  weights: Float32Array[];
  /** One vector a layer, [out]. */
  biases: Float32Array[];
}

/** One byte a weight, 1 for a survivor, one array a layer, laid out as the weights. */
export type Masks = Uint8Array[];

export function zeroParameters(sizes: readonly number[]): Parameters {
  const layers = sizes.slice(1).map((outputs, layer) => ({ inputs: sizes[layer]!, outputs }));
  return {
    weights: layers.map(({ inputs, outputs }) => new Float32Array(inputs * outputs)),
    biases: layers.map(({ outputs }) => new Float32Array(outputs)),
  };
}

export function copyParameters(parameters: Parameters): Parameters {
  return {
    weights: parameters.weights.map((weights) => weights.slice()),
    biases: parameters.biases.map((biases) => biases.slice()),
  };
}

/** The parameters with every weight outside the masks at zero. */
export function maskedParameters(parameters: Parameters, masks: Masks): Parameters {
  const copy = copyParameters(parameters);
  for (const [layer, mask] of masks.entries()) {
    const weights = copy.weights[layer]!;
    for (let i = 0; i < mask.length; i++) if (mask[i] === 0) weights[i] = 0;
  }
  return copy;
}

export function fullMasks(sizes: readonly number[]): Masks {
  return zeroParameters(sizes).weights.map((weights) => new Uint8Array(weights.length).fill(1));
}

export function countSurvivors(masks: Masks): number[] {
  return masks.map((mask) => {
    let count = 0;
    for (let i = 0; i < mask.length; i++) count += mask[i]!;
    return count;
  });
}

/** The masks of what is not zero. (A plain loop: a callback for each weight takes a quarter of an evaluation.) */
export function survivors({ weights }: Parameters): Masks {
  return weights.map((layer) => {
    const mask = new Uint8Array(layer.length);
    for (let i = 0; i < layer.length; i++) if (layer[i] !== 0) mask[i] = 1;
    return mask;
  });
}
