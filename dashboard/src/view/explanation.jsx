// SPDX-License-Identifier: Apache-2.0
import {
  duration, endpoint, exact, fixed, probability, quantity, span, words, UNKNOWN,
} from '../format.js';
import { now } from '../live.js';
import { Copy, Time } from './parts.jsx';

/** @typedef {import('../store.js').Alert} Alert */

/** @param {{from?: number, to: number, top: number, name: string}} props */
function Bar({ from = 0, to, top, name }) {
  const share = (/** @type {number} */ value) =>
    `${(top === 0 ? 0 : Math.abs(value) / top * 100).toFixed(1)}%`;
  return (
    <span class={`bar ${name}`} aria-hidden="true">
      <span style={{ marginLeft: share(from), width: share(to - from) }} />
    </span>
  );
}

/** What is usual: the range where the alert tells one, else what was expected. */
function usualOf(/** @type {Alert['features'][number]} */ { expected, low, high }) {
  return low === null || high === null ? { from: 0, to: expected } : { from: low, to: high };
}

/** @param {{feature: Alert['features'][number]}} props */
function Feature({ feature }) {
  const { name, observed, expected, low, unit } = feature;
  const { from, to } = usualOf(feature);
  const top = Math.max(Math.abs(observed), Math.abs(to ?? 0));
  return (
    <tr>
      <th scope="row">{words(name)}</th>
      <td class="bars">
        <Bar to={observed} top={top} name="observed" />
        <Bar from={from} to={to ?? 0} top={top} name="usual" />
      </td>
      <td class="number"><b>{quantity(observed, unit)}</b></td>
      <td class="number" title={`expected ${quantity(expected, unit)}`}>
        {span(low === null ? null : from, to, unit)}
      </td>
    </tr>
  );
}

/** @param {{alert: Alert}} props */
function Why({ alert }) {
  return (
    <div class="panel reasons">
      <h3>Why it stands out</h3>
      {alert.sentence !== '' && <p>{alert.sentence}</p>}
      {alert.features.length === 0 ? <p>The node sent no features with this alert.</p> : (
        <table class="features">
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <td />
              <th scope="col" class="number">Observed</th>
              <th scope="col" class="number">Usual</th>
            </tr>
          </thead>
          <tbody>{alert.features.map((f) => <Feature key={f.name} feature={f} />)}</tbody>
        </table>
      )}
    </div>
  );
}

/** @param {{alert: Alert}} props */
function Judgement({ alert }) {
  return (
    <div class="panel">
      <h3>Judgement</h3>
      <dl>
        <dt>p-value</dt><dd>{probability(alert.pValue)}</dd>
        <dt>Score</dt><dd>{fixed(alert.score, 3)} <i>alert from 0.5</i></dd>
        <dt>Signals</dt><dd>{exact(alert.count)}</dd>
        <dt>Lasting</dt><dd>{duration((now.value - alert.raised) / 1000)}</dd>
        <dt>Last seen</dt><dd><Time at={alert.updated} /></dd>
        <dt>Resembles</dt>
        <dd>{alert.technique ? <>{alert.technique} <i>ATT&amp;CK, a hint</i></> : UNKNOWN}</dd>
        <dt>Model</dt><dd>{[alert.detector, alert.model].filter(Boolean).join(', ') || UNKNOWN}</dd>
      </dl>
    </div>
  );
}

/** @param {{alert: Alert}} props */
function ExampleFlow({ alert }) {
  const f = alert.flow;
  return (
    <div class="panel">
      <h3>Example flow</h3>
      <dl>
        <dt>From</dt><dd><code>{endpoint(f.source, f.sourcePort)}</code></dd>
        <dt>To</dt><dd><code>{endpoint(f.target, f.targetPort)}</code></dd>
        <dt>Protocol</dt>
        <dd>{f.protocol || UNKNOWN}{f.interface !== '' && <> <i>on</i> {f.interface}</>}</dd>
        <dt>Sent</dt>
        <dd>{exact(f.packetsToTarget)} packets, {quantity(f.bytesToTarget, 'B')}</dd>
        <dt>Answered</dt>
        <dd>{exact(f.packetsToSource)} packets, {quantity(f.bytesToSource, 'B')}</dd>
        <dt>Community id</dt>
        <dd class="community">
          {alert.community === '' ? UNKNOWN : (
            <>
              <code>{alert.community}</code>
              <Copy text={alert.community} name={`id ${alert.key}`} label="Copy" />
            </>
          )}
        </dd>
      </dl>
    </div>
  );
}

/** @param {{alert: Alert}} props */
export function Explanation({ alert }) {
  return (
    <div class="explanation">
      <Why alert={alert} />
      <Judgement alert={alert} />
      <ExampleFlow alert={alert} />
      <p class="actions">
        <Copy text={JSON.stringify(alert.document, null, 2)} name={`json ${alert.key}`}
          label="Copy JSON" />
        <span>incident <code>{alert.id}</code></span>
      </p>
    </div>
  );
}
