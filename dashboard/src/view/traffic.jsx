// SPDX-License-Identifier: Apache-2.0
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { quantity } from '../format.js';
import { now, store } from '../live.js';
import { chartColumns, niceCeiling } from '../series.js';
import { shownNodes } from './nodes.jsx';
import { Empty, Section } from './parts.jsx';

const SERIES = 8;
const HEIGHT = 236;
const UNITS = { packets: '/s', bits: 'bit/s' };

/** @typedef {import('../store.js').Node} Node */

const what = signal(/** @type {'packets'|'bits'} */ ('packets'));
/** Column under the pointer, null when there is none. */
const under = signal(/** @type {number | null} */ (null));
const darkQuery = window.matchMedia('(prefers-color-scheme: dark)');
const dark = signal(darkQuery.matches);
darkQuery.addEventListener('change', (e) => {
  dark.value = e.matches;
});

/** @param {string} name a custom property of the style sheet */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** @param {number} index */
const seriesColour = (index) => colour(`--series-${index % SERIES}`);

/** @param {Node} node @param {'packets'|'bits'} kind */
const latest = (node, kind) => node.points.at(-1)?.[kind] ?? 0;

/** @param {uPlot} plot Small marks on the time axis where alerts were raised. */
function drawAlerts(plot) {
  const { ctx, bbox } = plot;
  const tall = 7 * devicePixelRatio;
  const colours = Object.fromEntries(['critical', 'major', 'minor', 'warning']
    .map((severity) => [severity, colour(`--${severity}`)]));
  for (const alert of [...store.alerts.values(), ...store.cleared]) {
    const x = plot.valToPos(alert.raised / 1000, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width)
      continue;
    ctx.fillStyle = colours[alert.severity];
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + bbox.height - tall);
    ctx.lineTo(x - tall / 2, bbox.top + bbox.height);
    ctx.lineTo(x + tall / 2, bbox.top + bbox.height);
    ctx.fill();
  }
}

/** @param {number} seconds */
function clock(seconds) {
  const d = new Date(seconds * 1000);
  return `${d.getHours()}`.padStart(2, '0') + `:${d.getMinutes()}`.replace(/:(\d)$/, ':0$1');
}

/**
 * @param {string[]} names
 * @param {'packets'|'bits'} kind
 * @param {number} width
 * @returns {uPlot.Options}
 */
function options(names, kind, width) {
  const axis = {
    stroke: colour('--muted'),
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
    ticks: { show: false },
    grid: { stroke: colour('--line'), width: 1 },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [10, 4, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_, low, high) => [0, niceCeiling(high)] } },
    axes: [
      { ...axis, size: 26, incrs: [60], grid: { show: false }, values: (_, at) => at.map(clock) },
      { ...axis, size: 78, values: (_, at) => at.map((v) => quantity(v, UNITS[kind])) },
    ],
    series: [{}, ...names.map((label, i) => ({
      label, stroke: seriesColour(i), width: 1.5, points: { show: false },
    }))],
    hooks: {
      draw: [drawAlerts],
      setCursor: [(plot) => { under.value = plot.cursor.idx ?? null; }],
    },
  };
}

/** @param {{nodes: Node[], columns: any[]}} props */
function Chart({ nodes, columns }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const names = nodes.map((n) => n.key).join(' ');

  useEffect(() => {
    const host = /** @type {HTMLDivElement} */ (place.current);
    const made = new uPlot(options(names.split(' '), what.value, host.clientWidth), columns, host);
    const watch = new ResizeObserver(() => {
      if (host.clientWidth > 0 && host.clientWidth !== made.width)
        made.setSize({ width: host.clientWidth, height: HEIGHT });
    });
    plot.current = made;
    watch.observe(host);
    return () => {
      watch.disconnect();
      plot.current = null;
      made.destroy();
    };
  }, [names, what.value, dark.value]);

  useEffect(() => plot.current?.setData(columns), [columns]);

  const said = nodes.map((n) => `${n.key} ${quantity(latest(n, what.value), UNITS[what.value])}`);
  return (
    <div class="chart" ref={place} role="img"
      aria-label={`${what.value} over the last five minutes; now ${said.join(', ')}`} />
  );
}

/** @param {{nodes: Node[], columns: any[]}} props */
function Legend({ nodes, columns }) {
  const at = under.value;
  return (
    <ul class="legend">
      {nodes.map((n, i) => {
        const value = at === null ? latest(n, what.value) : columns[i + 1][at];
        return (
          <li key={n.key}>
            <span class={`key series-${i % SERIES}`} aria-hidden="true" />
            {n.key}<b>{quantity(value, UNITS[what.value])}</b>
          </li>
        );
      })}
      <li class="raised"><span aria-hidden="true" />alert raised</li>
    </ul>
  );
}

function Toggle() {
  return (
    <div class="choice" role="group" aria-label="Unit of the chart">
      {/** @type {const} */ (['packets', 'bits']).map((kind) => (
        <button key={kind} type="button" aria-pressed={what.value === kind}
          onClick={() => { what.value = kind; }}>{kind}/s</button>
      ))}
    </div>
  );
}

export function Traffic() {
  const time = now.value;
  const measured = shownNodes().filter((n) => n.points.some((p) => p.packets !== null));
  const nodes = measured
    .sort((a, b) => latest(b, 'packets') - latest(a, 'packets'))
    .slice(0, SERIES)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const columns = chartColumns(nodes, what.value, time);
  return (
    <Section title="Traffic" id="traffic" aside={<Toggle />}
      count={nodes.length < measured.length
        ? `busiest ${nodes.length} of ${measured.length}` : 'last 5 min'}>
      {nodes.length === 0 ? (
        <Empty>Rates are drawn from the metrics that nodes send every five seconds.</Empty>
      ) : (
        <>
          <Chart nodes={nodes} columns={columns} />
          <Legend nodes={nodes} columns={columns} />
        </>
      )}
    </Section>
  );
}
