// SPDX-License-Identifier: Apache-2.0
/** What the page listens to: the people-readable part of the contract, and nothing else. */
export const SUBSCRIPTIONS = Object.freeze([
  'atalaya/v1/+/+/state',
  'atalaya/v1/+/+/info',
  'atalaya/v1/+/+/metrics',
  'atalaya/v1/+/+/alert/+',
  'atalaya/v1/+/+/event',
  'atalaya/v1/fl/+/round',
]);

const WORD = /^[A-Za-z0-9._:-]{1,64}$/;
const NODE_CHANNELS = new Set(['state', 'info', 'metrics', 'event']);

/**
 * @typedef {{channel: 'state'|'info'|'metrics'|'event', site: string, node: string}} NodeTopic
 * @typedef {{channel: 'alert', site: string, node: string, id: string}} AlertTopic
 * @typedef {{channel: 'round', federation: string}} RoundTopic
 */

/**
 * @param {string} topic
 * @returns {NodeTopic | AlertTopic | RoundTopic | null} null for a topic that is not ours
 */
export function parseTopic(topic) {
  const [root, version, ...rest] = topic.split('/');
  if (root !== 'atalaya' || version !== 'v1' || !rest.every((word) => WORD.test(word)))
    return null;

  const [site, node, channel, id] = rest;
  if (site === 'fl')
    return rest.length === 3 && channel === 'round' ? { channel, federation: node } : null;
  if (rest.length === 4)
    return channel === 'alert' ? { channel, site, node, id } : null;
  if (rest.length !== 3 || !NODE_CHANNELS.has(channel))
    return null;
  return /** @type {NodeTopic} */ ({ channel, site, node });
}
