// SPDX-License-Identifier: Apache-2.0
/** Small pictures, all inline. Severities differ in shape as well as in colour. */

const SHAPES = {
  critical: 'M5 1h6l4 4v6l-4 4H5l-4-4V5z',
  major: 'M8 1.2 15.4 14.6H.6z',
  minor: 'M8 .8 15.2 8 8 15.2.8 8z',
  warning: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z',
};

/** @param {{severity: keyof typeof SHAPES}} props */
export function SeverityIcon({ severity }) {
  const low = severity === 'major' ? 1.6 : 0;
  return (
    <svg class={`icon sev-${severity}`} viewBox="0 0 16 16" aria-hidden="true">
      <path class="shape" d={SHAPES[severity]} />
      <path class="sign" d={`M8 ${4.2 + low}v4.4M8 ${10.6 + low * 0.7}v1.1`} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M8.2 22 9.4 10h5.2l1.2 12z" />
      <path d="M7 10V6.4h2v1.4h2V6.4h2v1.4h2V6.4h2V10z" />
      <path class="signal" d="M12 2.2v1.6M5.2 3.6l1.2 1.2M18.8 3.6l-1.2 1.2" />
    </svg>
  );
}

export function Chevron() {
  return (
    <svg class="icon chevron" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m6 3.5 4.5 4.5L6 12.5" />
    </svg>
  );
}
