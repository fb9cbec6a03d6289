/** Pictures as files, from the page alone. */
import type { RefObject } from 'preact';

/** Pixels of a PNG for each of the page. */
const DENSITY = 3;

const svgBlob = (svg: SVGSVGElement) =>
  new Blob([new XMLSerializer().serializeToString(svg)], { type: 'image/svg+xml' });

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Long after the browser has begun to save it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function savePng(svg: SVGSVGElement, name: string): Promise<void> {
  const { width, height } = svg.getBoundingClientRect();
  const image = new Image(width * DENSITY, height * DENSITY);
  image.src = URL.createObjectURL(svgBlob(svg));
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext('2d')!.drawImage(image, 0, 0, image.width, image.height);
  URL.revokeObjectURL(image.src);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (blob !== null) save(blob, `${name}.png`);
}

/** Of the picture that the box holds by the time a button is pressed. */
export function TakeAway({ of, name }: { of: RefObject<HTMLElement | null>; name: string }) {
  const withPicture = (take: (svg: SVGSVGElement) => unknown) => () => {
    const svg = of.current?.querySelector('svg');
    if (svg) void take(svg);
  };
  return (
    <span class="takeaway">
      <button type="button" onClick={withPicture((svg) => save(svgBlob(svg), `${name}.svg`))}>
        {name}.svg
      </button>{' '}
      <button type="button" onClick={withPicture((svg) => savePng(svg, name))}>
        {name}.png
      </button>
    </span>
  );
}
