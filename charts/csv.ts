/** Comma-separated values (RFC 4180), lines end in a line feed; what is undefined is an empty field. */
import { csvFormat, csvParse } from 'd3-dsv';

/** Columns are the fields of the rows, in the order in which they are first seen. */
export const toCsv = (rows: readonly object[]): string => `${csvFormat(rows as object[])}\n`;

export const fromCsv = (text: string): Record<string, string | undefined>[] => [...csvParse(text)];
