// SPDX-License-Identifier: Apache-2.0
/** The two names of Node.js that the MQTT library takes for granted; the build puts them in. */
export { Buffer } from 'buffer/';
// @ts-ignore: it has no types, and nobody here calls it.
export { default as process } from 'process/browser.js';
