'use strict';
// What the charts of the report and of the status page have in common: colours by theme, axes,
// tooltips. Needs Chart.js only where a chart is drawn.
const lineChart = (() => {
  const root = document.documentElement;
  const kMostLegendEntries = 12;
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const number = (value) => Number(value.toPrecision(4)).toString();

  const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
  const setTheme = (dark) => root.setAttribute('data-theme', dark ? 'dark' : 'light');
  setTheme(prefersDark.matches);
  // Calls `redraw` when the system changes between light and dark.
  const followTheme = (redraw) => prefersDark.addEventListener('change', (event) => {
    setTheme(event.matches);
    redraw();
  });

  // line: {label, colour: 0..7, dashed, points: [[x, y]]}; a y of null is a gap.
  const dataset = (line, percent) => {
    const colour = css(`--series-${line.colour}`);
    return {
      label: line.label,
      data: line.points.map(([x, y]) => ({x, y: y !== null && percent ? 100 * y : y})),
      borderColor: colour, backgroundColor: colour, borderWidth: 2,
      borderDash: line.dashed ? [6, 4] : [],
      pointRadius: line.points.length <= 12 ? 4 : 0, pointHoverRadius: 5, pointHitRadius: 8, clip: 8,
    };
  };

  // spec: {x, y: titles, percent, log, whole: x in whole numbers, legend: false for none}. The x axis
  // holds all of `every`, so that it stays where it is when other lines are chosen.
  const options = (spec, lines, every) => {
    const ink = css('--soft'), grid = css('--line');
    const title = (text) => ({display: true, text, color: ink});
    const ticks = {color: ink, maxRotation: 0};
    const whole = {...ticks, stepSize: 1, precision: 0};
    const values = every.flatMap((line) => line.points.map((point) => point[0]));
    const shown = lines.flatMap((line) => line.points.map((point) => point[1]));
    const [low, high] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
    // Chart.js gives a constant c the axis c - 1 to c + 1: from 0 to 2 c says more of a small one.
    const flat = shown.length > 0 && shown.every((y) => y === shown[0]) && shown[0] >= 0;
    const ceiling = (spec.percent ? 100 : 1) * (2 * shown[0] || 1);
    const many = lines.length > kMostLegendEntries;
    return {
      animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
      interaction: {mode: many ? 'nearest' : 'index', intersect: false},
      scales: {
        x: {type: 'linear', title: title(spec.x), ticks: spec.whole ? whole : ticks, grid: {color: grid},
            ...(low < high ? {min: low, max: high} : {suggestedMin: low - 1, suggestedMax: low + 1})},
        y: {type: spec.log ? 'logarithmic' : 'linear', ticks, grid: {color: grid},
            title: title(spec.percent ? `${spec.y} %` : spec.y),
            ...(flat ? {suggestedMin: 0, suggestedMax: ceiling} : {})},
      },
      plugins: {
        legend: {display: spec.legend !== false && lines.length > 1 && !many, position: 'bottom',
                 labels: {color: css('--ink'), boxWidth: 18, boxHeight: 3}},
        tooltip: {callbacks: {
          title: (items) => items.length ? `${spec.x}: ${items[0].parsed.x}` : '',
          label: (item) => `${item.dataset.label}: ${number(item.parsed.y)}`,
        }},
      },
    };
  };

  return {css, number, setTheme, followTheme, dataset, options};
})();
