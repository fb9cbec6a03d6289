/** A real Chromium without a window: the one that an npm package carries, or CHROMIUM's. */
import carried from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const { CHROMIUM } = process.env;
/** The package's is for Linux on x64. */
export const hasChromium = CHROMIUM !== undefined || (process.platform === 'linux' && process.arch === 'x64');
/** For the names of tests that need it, so that who skips them reads why. */
export const whyNoChromium = hasChromium ? '' : ' (no Chromium for this machine; CHROMIUM=/path/to/one names one)';

/** In one process Chromium would end with the first page that is closed. */
const ARGUMENTS = carried.args.filter((argument) => argument !== '--single-process' && argument !== '--no-zygote');

export const startChromium = async (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM ?? (await carried.executablePath()), args: ARGUMENTS });
