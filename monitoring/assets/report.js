'use strict';
// Draws the charts of the page from the JSON beside them, when they come into view: a report of a
// hundred runs opens at once. Everything else on the page works without this script.
(() => {
  const root = document.documentElement;
  const specs = JSON.parse(document.getElementById('charts').textContent);
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const drawn = new Map();  // canvas -> {chart, spec, variant}
  const kMostLegendEntries = 12;

  const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
  const setTheme = (dark) => root.setAttribute('data-theme', dark ? 'dark' : 'light');
  setTheme(prefersDark.matches);

  const datasets = (spec, variant) => spec.variants[variant].lines.map((line) => {
    const colour = css(`--series-${line.colour}`);
    const few = line.points.length <= 12;
    return {
      label: line.label,
      data: line.points.map(([x, y]) => ({x, y: y !== null && spec.percent ? 100 * y : y})),
      borderColor: colour, backgroundColor: colour, borderWidth: 2,
      borderDash: line.dashed ? [6, 4] : [],
      pointRadius: few ? 4 : 0, pointHoverRadius: 5, pointHitRadius: 8, clip: 8,
    };
  });

  const number = (value) => Number(value.toPrecision(4)).toString();

  const options = (spec, variant, count) => {
    const ink = css('--soft'), line = css('--line');
    const title = (text) => ({display: true, text, color: ink});
    const ticks = {color: ink, maxRotation: 0};
    const whole = {...ticks, stepSize: 1, precision: 0};
    const points = spec.variants.flatMap((v) => v.lines.flatMap((l) => l.points));
    const values = points.map((p) => p[0]);
    // Chart.js gives a constant c the axis c - 1 to c + 1: from 0 to 2 c says more of a small one.
    const shown = spec.variants[variant].lines.flatMap((l) => l.points.map((p) => p[1]));
    const flat = shown.length > 0 && shown.every((y) => y === shown[0]) && shown[0] > 0;
    return {
      animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
      interaction: {mode: count > kMostLegendEntries ? 'nearest' : 'index', intersect: false},
      scales: {
        x: {type: 'linear', title: title(spec.x), ticks: spec.whole ? whole : ticks,
            grid: {color: line}, min: values.reduce((a, b) => Math.min(a, b), Infinity),
            max: values.reduce((a, b) => Math.max(a, b), -Infinity)},
        y: {type: spec.log ? 'logarithmic' : 'linear', ticks, grid: {color: line},
            title: title(spec.percent ? `${spec.y} %` : spec.y),
            ...(flat ? {suggestedMin: 0, suggestedMax: 2 * shown[0] * (spec.percent ? 100 : 1)} : {})},
      },
      plugins: {
        legend: {display: count <= kMostLegendEntries && count > 1, position: 'bottom',
                 labels: {color: css('--ink'), boxWidth: 18, boxHeight: 3}},
        tooltip: {callbacks: {
          title: (items) => items.length ? `${spec.x}: ${items[0].parsed.x}` : '',
          label: (item) => `${item.dataset.label}: ${number(item.parsed.y)}`,
        }},
      },
    };
  };

  const draw = (canvas, variant) => {
    const spec = specs[Number(canvas.dataset.chart)];
    const before = drawn.get(canvas);
    if (before) before.chart.destroy();
    const data = datasets(spec, variant);
    const chart = new Chart(canvas, {type: 'line', data: {datasets: data},
                                     options: options(spec, variant, data.length)});
    drawn.set(canvas, {chart, variant});
    canvas.dataset.drawn = 'yes';
  };

  const addChoices = (canvas) => {
    const spec = specs[Number(canvas.dataset.chart)];
    if (spec.variants.length < 2) return;
    const bar = document.createElement('div');
    bar.className = 'choices';
    spec.variants.forEach((variant, index) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = variant.name;
      button.setAttribute('aria-pressed', String(index === 0));
      button.addEventListener('click', () => {
        for (const other of bar.children) other.setAttribute('aria-pressed', String(other === button));
        draw(canvas, index);
      });
      bar.append(button);
    });
    canvas.closest('figure').insertBefore(bar, canvas.parentElement);
  };

  const canvases = [...document.querySelectorAll('canvas[data-chart]')];
  canvases.forEach(addChoices);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target, 0);
    }
  }, {rootMargin: '400px'});
  canvases.forEach((canvas) => watcher.observe(canvas));

  const redraw = () => { for (const [canvas, {variant}] of [...drawn]) draw(canvas, variant); };
  prefersDark.addEventListener('change', (event) => { setTheme(event.matches); redraw(); });
  document.getElementById('theme').addEventListener('click', () => {
    setTheme(root.getAttribute('data-theme') !== 'dark');
    redraw();
  });
  window.addEventListener('beforeprint', () => {
    for (const canvas of canvases) if (!drawn.has(canvas)) draw(canvas, 0);
  });
})();
