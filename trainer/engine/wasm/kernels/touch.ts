import { type Body, type Expression, i32, type Local } from '../assembler';
import { SCRATCH } from './memory';

/**
 * Reads a byte of each cache line of a batch's images. They lie scattered over the data set; this way their misses
 * overlap, where a loop over their pixels waits for one after another (105 us a batch became 62).
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
  body.repeat(images, () => {
    const image = bounds(i32.load(number));
    body.set(at, image.start);
    body.set(end, image.end(at));
    body.while(i32.ltU(at, end), () => {
      body.advance(sum, i32.load8U(at, 0, 1));
      body.advance(at, 64);
    });
    body.advance(number, 4);
  });
  body.storeI32(SCRATCH, sum);
}
