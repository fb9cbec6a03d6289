/** Pictures as files: a figure drawn beside a virtual document, its text made paths, as SVG and as PNG. */
import { readFileSync } from 'node:fs';
import { initWasm, Resvg } from '@resvg/resvg-wasm';
import { parseHTML } from 'linkedom';
import { FONT } from './figures/style';

/** Dots of a CSS pixel: 300 an inch, as journals ask. */
const DOTS = 300 / 96;

const FACES = ['latin-400', 'latin-600'].map(
  (face) => `@fontsource/source-sans-3/files/source-sans-3-${face}-normal.woff2`,
);

export interface Picture {
  svg: string;
  png: Uint8Array;
}

export const virtualDocument = (): Document =>
  parseHTML('<!doctype html><html><body></body></html>').document as unknown as Document;

let ready: Promise<Uint8Array[]> | undefined;

/** Loads the renderer once, and the font that every picture carries in itself as paths. */
function loadRenderer(): Promise<Uint8Array[]> {
  ready ??= (async () => {
    await initWasm(readFileSync(require.resolve('@resvg/resvg-wasm/index_bg.wasm')));
    return FACES.map((path) => new Uint8Array(readFileSync(require.resolve(path))));
  })();
  return ready;
}

/** @param label what the picture shows, for those who cannot see it */
export async function render(drawing: SVGSVGElement, label: string): Promise<Picture> {
  const fontBuffers = await loadRenderer();
  const renderer = new Resvg(drawing.outerHTML, {
    font: { fontBuffers, defaultFontFamily: FONT, sansSerifFamily: FONT },
    fitTo: { mode: 'zoom', value: DOTS },
    background: 'white',
  });
  try {
    const image = renderer.render();
    const title = `<title>${label.replace(/[<&]/g, (sign) => (sign === '<' ? '&lt;' : '&amp;'))}</title>`;
    const svg = renderer.toString().replace(/^<svg ([^>]*)>/, `<svg role="img" $1>\n    ${title}`);
    return { svg, png: image.asPng() };
  } finally {
    renderer.free();
  }
}
