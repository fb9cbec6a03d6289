import { type Body, type Expression, i32, type Local } from '../assembler';
import { SCRATCH } from './memory';

const LINE = 64;
const TOGETHER = 4;

/**
 * Reads a byte of each cache line of a batch's images. They lie scattered over the data set; this way their misses
 * overlap, where a loop over their pixels waits for one after another (105 us a batch became 62, and 52 with four
 * lines a turn, since more of them are under way at once).
 *
 * @param bounds where an image begins and ends in the shared memory, from its number
 */
export function touch(
  body: Body,
  images: Expression | Local,
  order: Local,
  bounds: (image: Expression) => { start: Expression; end: (start: Local) => Expression },
): void {
  const sum = body.local('i32', 0);
  const number = body.local('i32', order);
  const at = body.local('i32');
  const end = body.local('i32');
  const read = (lines: number, condition: Expression) =>
    body.while(condition, () => {
      for (let line = 0; line < lines; line++) body.advance(sum, i32.load8U(at, LINE * line, 1));
      body.advance(at, LINE * lines);
    });
  body.repeat(images, () => {
    const image = bounds(i32.load(number));
    body.set(at, image.start);
    body.set(end, image.end(at));
    read(TOGETHER, i32.ltU(i32.add(at, LINE * (TOGETHER - 1)), end));
    read(1, i32.ltU(at, end));
    body.advance(number, 4);
  });
  body.storeI32(SCRATCH, sum);
}
