// SPDX-License-Identifier: Apache-2.0
import { fixed, plural, power10, quantity, UNKNOWN } from '../format.js';
import { revision, store } from '../live.js';
import { Empty, Section, Time } from './parts.jsx';

/** @typedef {import('../store.js').Round} Round */

/** @param {{rounds: Round[]}} props */
function History({ rounds }) {
  return (
    <table class="rounds">
      <thead>
        <tr>
          <th scope="col" class="number">Round</th><th scope="col">State</th>
          <th scope="col" class="number">Nodes</th><th scope="col" class="number">ε</th>
          <th scope="col" class="number">Bytes</th><th scope="col" class="number">Norm</th>
          <th scope="col">At</th>
        </tr>
      </thead>
      <tbody>
        {rounds.map((r) => (
          <tr key={`${r.epoch}-${r.round}`}>
            <th scope="row" class="number">{r.round}</th>
            <td class={`round-state ${r.state}`}>{r.state}</td>
            <td class="number">{r.participants.length}</td>
            <td class="number">{fixed(r.epsilon, 2)}</td>
            <td class="number">{quantity(r.bytes, 'B')}</td>
            <td class="number">{fixed(r.norm, 2)}</td>
            <td><Time at={r.at} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** @param {{name: string, rounds: Round[]}} props */
function Federation({ name, rounds }) {
  const last = rounds[0];
  return (
    <article class="federation" data-federation={name}>
      <h3>
        {name} <i>epoch {last.epoch}</i>
        <span class={`round-state ${last.state}`}>round {last.round} {last.state}</span>
      </h3>
      <dl class="facts">
        <div class="fact wide">
          <dt>Participants</dt>
          <dd title={last.participants.join(', ')}>
            {last.participants.join(', ') || 'none yet'}
            {last.quorum !== null && <i> quorum {last.quorum}</i>}
          </dd>
        </div>
        <div class="fact">
          <dt>Privacy</dt>
          <dd>ε {fixed(last.epsilon, 2)} <i>at δ {power10(last.delta)}</i></dd>
        </div>
        <div class="fact"><dt>Sent</dt><dd>{quantity(last.bytes, 'B')}</dd></div>
        <div class="fact"><dt>Model</dt><dd><code>{last.model || UNKNOWN}</code></dd></div>
      </dl>
      <History rounds={rounds} />
    </article>
  );
}

export function Federations() {
  revision.value;
  const federations = [...store.federations].sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <Section title="Federation" id="federation"
      count={federations.length > 1 ? plural(federations.length, 'federation') : undefined}>
      {federations.length === 0 ? (
        <Empty>
          No round heard yet. A hub, started with <code>atalaya hub -c hub.yaml</code>, opens them.
        </Empty>
      ) : federations.map(([name, rounds]) => (
        <Federation key={name} name={name} rounds={rounds} />
      ))}
    </Section>
  );
}
