/** A real Chromium without a window: the one that an npm package carries, or CHROMIUM's. */
import carried from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const { CHROMIUM } = process.env;
/** The package's is for Linux on x64. */
export const hasChromium = CHROMIUM !== undefined || (process.platform === 'linux' && process.arch === 'x64');
/** For the names of tests that need it, so that who skips them reads why. */
export const whyNoChromium = hasChromium ? '' : ' (no Chromium for this machine; CHROMIUM=/path/to/one names one)';

/**
 * Not with the package's own arguments: they turn off what a person's browser keeps its pages apart with, and simulate a
 * graphics card, which takes three quarters of what Chromium takes (bench/dashboard.ts).
 */
export const startChromium = async (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM ?? (await carried.executablePath()), args: ['--disable-gpu'] });
