// SPDX-License-Identifier: Apache-2.0
import { duration, words, UNKNOWN } from '../format.js';
import { filter, revision, store } from '../live.js';
import { matches } from '../store.js';
import { alertWords } from './alerts.jsx';
import { SeverityIcon } from './icons.jsx';
import { Empty, Section, Time } from './parts.jsx';

export function Cleared() {
  revision.value;
  const rows = store.cleared.filter((a) => matches(filter.value, alertWords(a)));
  return (
    <Section title="Recently cleared" id="cleared" count={`${rows.length}`}>
      {rows.length === 0 ? (
        <Empty>Alerts that end while this page is open are kept here, the last 50.</Empty>
      ) : (
        <div class="table-wrap scroll" tabIndex={0} role="region"
          aria-label="List of cleared alerts">
          <table class="cleared">
            <thead>
              <tr>
                <th scope="col">Cleared</th><th scope="col">What</th><th scope="col">Who</th>
                <th scope="col">Where</th><th scope="col" class="number">Lasted</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((a) => (
                <tr key={a.key} data-cleared={a.id}>
                  <td class="when"><Time at={a.clearedAt} /></td>
                  <th scope="row">
                    <SeverityIcon severity={a.severity} />{words(a.kind)}
                    <span class="said"> {a.severity}</span>
                  </th>
                  <td><code>{a.entity || UNKNOWN}</code></td>
                  <td>{a.site}/{a.node}</td>
                  <td class="number">{duration((a.clearedAt - a.raised) / 1000)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}
