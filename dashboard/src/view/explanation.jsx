// SPDX-License-Identifier: Apache-2.0
import {
  duration, endpoint, exact, fixed, probability, quantity, words, UNKNOWN,
} from '../format.js';
import { now } from '../live.js';
import { Copy, Time } from './parts.jsx';

/** @typedef {import('../store.js').Alert} Alert */

/** @param {{value: number | null, top: number, name: string}} props */
function Bar({ value, top, name }) {
  const share = value === null || top === 0 ? 0 : Math.abs(value) / top;
  return (
    <span class={`bar ${name}`} aria-hidden="true">
      <span style={{ width: `${(share * 100).toFixed(1)}%` }} />
    </span>
  );
}

/** @param {{feature: Alert['features'][number]}} props */
function Feature({ feature }) {
  const { name, observed, expected, unit } = feature;
  const top = Math.max(Math.abs(observed), Math.abs(expected ?? 0));
  return (
    <tr>
      <th scope="row">{words(name)}</th>
      <td class="bars">
        <Bar value={observed} top={top} name="observed" />
        <Bar value={expected} top={top} name="usual" />
      </td>
      <td class="number"><b>{quantity(observed, unit)}</b></td>
      <td class="number">{quantity(expected, unit)}</td>
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
