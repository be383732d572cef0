// Draws the charts of the page from the JSON beside them, when they come into view: a report of a
// hundred runs opens at once. Everything else on the page works without this script.
(() => {
  const root = document.documentElement;
  const specs = JSON.parse(document.getElementById('charts').textContent);
  const drawn = new Map();  // canvas -> {chart, variant}

  const draw = (canvas, variant) => {
    const spec = specs[Number(canvas.dataset.chart)];
    const before = drawn.get(canvas);
    if (before) before.chart.destroy();
    const lines = spec.variants[variant].lines;
    const chart = new Chart(canvas, {
      type: 'line', data: {datasets: lines.map((line) => lineChart.dataset(line, spec.percent))},
      options: lineChart.options(spec, lines, spec.variants.flatMap((each) => each.lines)),
    });
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
  lineChart.followTheme(redraw);
  document.getElementById('theme').addEventListener('click', () => {
    lineChart.setTheme(root.getAttribute('data-theme') !== 'dark');
    redraw();
  });
  window.addEventListener('beforeprint', () => {
    for (const canvas of canvases) if (!drawn.has(canvas)) draw(canvas, 0);
  });
})();
