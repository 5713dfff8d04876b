// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import { onKey } from './keys.js';
import { start } from './live.js';
import { Alerts } from './view/alerts.jsx';
import { Cleared } from './view/cleared.jsx';
import { Connect } from './view/connect.jsx';
import { Federations } from './view/federation.jsx';
import { Header, Notices } from './view/header.jsx';
import { Help } from './view/help.jsx';
import { Nodes } from './view/nodes.jsx';
import { Traffic } from './view/traffic.jsx';

const Page = () => (
  <>
    <Header />
    <main>
      <Connect />
      <Notices />
      <Alerts />
      <Nodes />
      <div class="columns">
        <Traffic />
        <Federations />
      </div>
      <Cleared />
    </main>
    <Help />
  </>
);

render(<Page />, /** @type {HTMLElement} */ (document.getElementById('page')));
document.addEventListener('keydown', onKey);
start();
