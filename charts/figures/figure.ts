/**
 * What a figure is: a pure step that says what is drawn, and a drawing of it. The first can be tested without a
 * picture, the second runs wherever there is a document: in a browser, or beside a virtual one.
 */
import type { Study } from '../study';

export type Value = string | number | undefined;

/** What is drawn: its rows are the figure's CSV, and nothing is drawn that is not in them. */
export interface Drawn<Row extends object = object> {
  rows: readonly Row[];
  /** Below the picture: n, what intervals are, what else its reader must know. */
  note: string;
}

/** Why a figure cannot be made of a study, and what to run for it. */
export interface Missing {
  missing: string;
}

export const isMissing = (made: object): made is Missing => 'missing' in made;

export interface Canvas {
  document: Document;
  /** CSS pixels, 96 an inch. */
  width: number;
}

export interface Figure<Row extends object = object, D extends Drawn<Row> = Drawn<Row>> {
  /** Of its files. */
  name: string;
  title: string;
  of(study: Study): D | Missing;
  draw(drawn: D, canvas: Canvas): SVGSVGElement;
}

/** A figure among others, whatever its rows are. */
export interface AnyFigure {
  name: string;
  title: string;
  /** Undefined parts of a row are empty fields. */
  make(study: Study): Made | Missing;
}

export interface Made {
  drawn: Drawn;
  draw(canvas: Canvas): SVGSVGElement;
}

/** Keeps a figure's two steps together, so that a list of figures need not know their rows. */
export function figure<Row extends object, D extends Drawn<Row>>(definition: Figure<Row, D>): AnyFigure {
  const { name, title } = definition;
  return {
    name,
    title,
    make(study) {
      const drawn = definition.of(study);
      return isMissing(drawn) ? drawn : { drawn, draw: (canvas) => definition.draw(drawn, canvas) };
    },
  };
}
