// SPDX-License-Identifier: Apache-2.0
import { signal } from '@preact/signals';
import { fixed, plural, words, UNKNOWN } from '../format.js';
import { connectedAt, filter, now, opened, revision, store } from '../live.js';
import { bySeverity, matches } from '../store.js';
import { Explanation } from './explanation.jsx';
import { Chevron, SeverityIcon } from './icons.jsx';
import { Empty, Section, Time } from './parts.jsx';

const ROWS = 25;
const QUIET_MS = 15000;
const all = signal(false);

/** @typedef {import('../store.js').Alert} Alert */

/** @param {Alert} a */
export const alertWords = (a) =>
  [a.site, a.node, words(a.kind), a.kind, a.entity, a.role, a.severity, a.hint, a.technique];

/** @param {string} key */
const toggle = (key) => {
  opened.value = opened.value === key ? '' : key;
};

/** @param {{alert: Alert}} props */
function AlertRow({ alert }) {
  const open = opened.value === alert.key;
  const id = `why-${alert.key}`;
  return (
    <>
      <tr class={`alert edge-${alert.severity} ${open ? 'open' : ''}`} data-alert={alert.id}
        onClick={(e) => {
          if (!(/** @type {Element} */ (e.target)).closest('button'))
            toggle(alert.key);
        }}>
        <td class="severity"><SeverityIcon severity={alert.severity} />{alert.severity}</td>
        <td class="when"><Time at={alert.raised} /></td>
        <th scope="row" class="what">
          <button type="button" class="toggle" aria-expanded={open} aria-controls={id}
            onClick={() => toggle(alert.key)}>
            <Chevron />{words(alert.kind)}
          </button>
        </th>
        <td class="who"><code>{alert.entity || UNKNOWN}</code> <i>{alert.role}</i></td>
        <td class="where">{alert.site}<i>/</i>{alert.node}</td>
        <td class="number">{fixed(alert.score, 2)}</td>
        <td class="hint" title={alert.hint}>{alert.hint}</td>
      </tr>
      <tr class={`why edge-${alert.severity}`} id={id} hidden={!open}>
        <td colSpan={7}>{open && <Explanation alert={alert} />}</td>
      </tr>
    </>
  );
}

/** @param {{filtered: boolean}} props */
function NoAlerts({ filtered }) {
  if (filtered)
    return <Empty>No open alert matches the filter. Press / to change it, Esc to clear it.</Empty>;
  const since = connectedAt.value;
  if (since === null)
    return <Empty>Not connected: alerts appear here as soon as the broker is reached.</Empty>;
  if (store.messages === 0 && now.value - since > QUIET_MS) {
    return (
      <Empty>
        Connected, but nothing has been heard. Is a node running, and may this user
        read <code>atalaya/v1/#</code>? Try <code>atalaya doctor</code> on the node.
      </Empty>
    );
  }
  if (store.nodes.size === 0)
    return <Empty>Connected. Waiting for the first word of a node.</Empty>;
  return <Empty>No open alert. The towers are watching.</Empty>;
}

export function Alerts() {
  revision.value;
  const every = [...store.alerts.values()];
  const found = every.filter((a) => matches(filter.value, alertWords(a))).sort(bySeverity);
  const rows = all.value ? found : found.slice(0, ROWS);
  const count = found.length === every.length
    ? `${every.length}` : `${found.length} of ${every.length}`;
  return (
    <Section title="Open alerts" id="alerts" count={count}>
      {found.length === 0 ? <NoAlerts filtered={every.length > 0} /> : (
        <div class="table-wrap">
          <table class="alerts">
            <thead>
              <tr>
                <th scope="col">Severity</th><th scope="col">Since</th><th scope="col">What</th>
                <th scope="col">Who</th><th scope="col">Where</th>
                <th scope="col" class="number">Score</th><th scope="col">Hint</th>
              </tr>
            </thead>
            <tbody>{rows.map((a) => <AlertRow key={a.key} alert={a} />)}</tbody>
          </table>
          {rows.length < found.length && (
            <button type="button" class="more" onClick={() => { all.value = true; }}>
              Show all {plural(found.length, 'alert')}
            </button>
          )}
        </div>
      )}
    </Section>
  );
}
