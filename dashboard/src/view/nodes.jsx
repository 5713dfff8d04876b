// SPDX-License-Identifier: Apache-2.0
import { SILENT_MS } from '../bounds.js';
import { compact, duration, exact, fixed, power10, quantity, UNKNOWN } from '../format.js';
import { filter, now, revision, store } from '../live.js';
import { matches } from '../store.js';
import { Empty, Meter, Section } from './parts.jsx';

/** @typedef {import('../store.js').Node} Node */
/** @typedef {NonNullable<Node['metrics']>} Metrics */

/** @param {Node} n */
export const nodeWords = (n) => [n.site, n.name, n.info?.role ?? '', n.state?.state ?? ''];

/** @param {Node} n */
const isHub = (n) => n.info?.role === 'hub';

/** Nodes that the filter lets through, by site and name, hubs last. */
export function shownNodes() {
  return [...store.nodes.values()]
    .filter((n) => matches(filter.value, nodeWords(n)))
    .sort((a, b) => Number(isHub(a)) - Number(isHub(b)) || (a.key < b.key ? -1 : 1));
}

/** @param {{name: string, children: any, bad?: boolean, title?: string}} props */
const Fact = ({ name, children, bad = false, title }) => (
  <div class={bad ? 'fact bad' : 'fact'} title={title}><dt>{name}</dt><dd>{children}</dd></div>
);

/** @param {{m: Metrics}} props */
function Traffic({ m }) {
  // ARP and its like are no loss: they are named in the title, not counted here
  const lost = m.drops.filter((d) => d.reason !== 'not_ip');
  const dropped = lost.reduce((sum, d) => sum + d.packets, 0) + (m.nicDropped ?? 0);
  const reasons = [...m.drops, { reason: 'by the NIC', packets: m.nicDropped ?? 0 }]
    .filter((d) => d.packets > 0)
    .map((d) => `${d.reason.replaceAll('_', ' ')}: ${exact(d.packets)}`);
  return (
    <>
      <Fact name="Packets">{quantity(m.packetsPerS, '/s')}</Fact>
      <Fact name="Bits">{quantity(m.bitsPerS, 'bit/s')}</Fact>
      <Fact name="Flows live">{compact(m.flowsLive)}</Fact>
      <Fact name="Dropped" bad={dropped > 0} title={reasons.join(', ') || 'none'}>
        {compact(dropped)}
      </Fact>
      <Fact name="Unaccounted" bad={(m.difference ?? 0) !== 0}
        title="packets received that are neither processed nor counted as dropped: must be 0">
        {exact(m.difference)}
      </Fact>
      <Fact name="Suppressed" title="alerts held back by cool-down">{compact(m.suppressed)}</Fact>
    </>
  );
}

/** What a hub does instead of watching packets. @param {{m: Metrics}} props */
const Coordination = ({ m }) => (
  <dl class="facts">
    <Fact name="Federation">{m.federation}</Fact>
    <Fact name="Round">{m.round ?? UNKNOWN}</Fact>
    <Fact name="Edges known">
      {[...store.nodes.values()].filter((n) => n.info?.role === 'edge').length}
    </Fact>
  </dl>
);

/** @param {{m: Metrics}} props */
function Detector({ m }) {
  const learning = m.phase === 'learning';
  const share = (m.rows ?? 0) / Math.max(1, m.rowsNeeded ?? 1);
  return (
    <p class="line">
      <span>
        {learning ? `Learning ${exact(m.rows)} of ${exact(m.rowsNeeded)}` : m.phase || UNKNOWN}
      </span>
      {learning ? <Meter share={share} label="rows learnt" /> : (
        <span class="quiet" title="model of the flow detector, model of the host detector">
          {[...new Set([m.flowModel, m.hostModel].filter(Boolean))].join(' / ') || UNKNOWN}
        </span>
      )}
    </p>
  );
}

/** @param {{m: Metrics}} props */
function Budget({ m }) {
  if (m.federation === 'off')
    return <p class="line"><span>Federation off</span></p>;
  const delta = <i>at δ {power10(m.delta)}</i>;
  if (m.budget === null) // a hub spends nothing itself
    return (
      <p class="line">
        <span>ε {fixed(m.epsilon, 2)} {delta} spent by an edge of every round</span>
      </p>
    );
  if (m.epsilon === null)
    return <p class="line"><span>ε unknown: the ledger is not trusted</span></p>;
  const share = m.budget > 0 ? m.epsilon / m.budget : 1;
  const level = share >= 1 ? 'full' : share >= 0.8 ? 'high' : '';
  return (
    <p class="line" title="privacy spent, of the budget that this node may spend">
      <span>ε {fixed(m.epsilon, 2)} of {fixed(m.budget, 1)} {delta}</span>
      <Meter share={share} level={level} label="privacy budget spent" />
      <span class="quiet">{share >= 1 ? 'spent' : m.federation}</span>
    </p>
  );
}

/** @param {{node: Node}} props */
function NodeCard({ node }) {
  const { info, metrics: m } = node;
  const hub = isHub(node);
  const state = node.state?.state ?? 'unknown';
  const since = node.state?.at == null ? null : now.value - node.state.at;
  const silent = state === 'online' && node.metricsAt !== null
    && now.value - node.metricsAt > SILENT_MS;
  return (
    <li class={`card ${state}`} data-node={node.key}>
      <h3>
        <span class="node-name"><i>{node.site}/</i>{node.name}</span>
        {hub && <span class="tag">hub</span>}
        <span class={`state ${silent ? 'silent' : state}`}>
          <span class="dot" aria-hidden="true" />
          {silent ? `silent ${duration((now.value - (node.metricsAt ?? 0)) / 1000)}` : state}
        </span>
      </h3>
      <p class="quiet capture">
        {[info?.capture, m?.uptimeS != null && `up ${duration(m.uptimeS)}`, info?.version]
          .filter(Boolean).join(' · ') || UNKNOWN}
      </p>
      {m ? (
        <>
          {hub ? <Coordination m={m} /> : <dl class="facts"><Traffic m={m} /></dl>}
          {!hub && <Detector m={m} />}
          <Budget m={m} />
        </>
      ) : (
        <p class="quiet">
          No metrics yet{since === null ? '' : `; ${state} for ${duration(since / 1000)}`}.
        </p>
      )}
    </li>
  );
}

export function Nodes() {
  revision.value;
  const nodes = shownNodes();
  const total = store.nodes.size;
  const count = nodes.length === total ? `${total}` : `${nodes.length} of ${total}`;
  return (
    <Section title="Nodes" id="nodes" count={count}>
      {nodes.length === 0 ? (
        <Empty>
          {total > 0 ? 'No node matches the filter.' : (
            <>Nodes announce themselves. Start one with <code>atalaya edge -c edge.yaml</code>.</>
          )}
        </Empty>
      ) : <ul class="cards">{nodes.map((n) => <NodeCard key={n.key} node={n} />)}</ul>}
    </Section>
  );
}
