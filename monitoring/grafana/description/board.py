"""What a board is made of: panels that flow from left to right, variables, annotations."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ACTIVITIES = [
    "starting",
    "waiting for data",
    "computing",
    "waiting for rank",
    "updating",
    "meta step",
    "validating",
    "saving",
    "idle",
    "finished",
]
ACTIVITY_COLOURS = [
    "gray",
    "orange",
    "green",
    "blue",
    "green",
    "purple",
    "yellow",
    "yellow",
    "light-gray",
    "gray",
]
GOOD_HIGH = [("red", None), ("orange", 0.5), ("yellow", 0.7), ("green", 0.85)]


def steps(pairs):
    return {"mode": "absolute", "steps": [{"color": c, "value": v} for c, v in pairs]}


def target(expr, legend="", letter="A", instant=False, table=False):
    return {
        "datasource": SOURCE,
        "refId": letter,
        "expr": expr,
        "legendFormat": legend,
        "editorMode": "code",
        "instant": instant,
        "range": not instant,
        "format": "table" if table else "time_series",
    }


class Board:
    """Panels flow from left to right over 24 columns."""

    def __init__(self, uid, title, description, variables, annotations=()):
        self.uid, self.title, self.description = uid, title, description
        self.variables, self.annotations = variables, list(annotations)
        self.panels, self.x, self.y, self.height = [], 0, 0, 0

    def place(self, width, height):
        if self.x + width > 24:
            self.x, self.y, self.height = 0, self.y + self.height, 0
        position = {"x": self.x, "y": self.y, "w": width, "h": height}
        self.x += width
        self.height = max(self.height, height)
        return position

    def row(self, title):
        self.y, self.x, self.height = self.y + self.height, 0, 0
        self.panels.append(
            {
                "id": len(self.panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": self.place(24, 1),
            }
        )
        self.y, self.x, self.height = self.y + 1, 0, 0

    def panel(
        self,
        kind,
        title,
        description,
        queries,
        unit,
        width=8,
        height=7,
        defaults=None,
        options=None,
        custom=None,
        instant=False,
        table=False,
        transformations=None,
        overrides=None,
    ):
        targets = [
            target(
                query if isinstance(query, str) else query[0],
                "" if isinstance(query, str) else query[1],
                "ABCDEFGHIJ"[i],
                instant,
                table,
            )
            for i, query in enumerate(queries)
        ]
        fields = {"unit": unit, **(defaults or {})}
        if custom:
            fields["custom"] = custom
        panel = {
            "id": len(self.panels) + 1,
            "type": kind,
            "title": title,
            "description": description,
            "datasource": SOURCE,
            "targets": targets,
            "gridPos": self.place(width, height),
            "fieldConfig": {"defaults": fields, "overrides": overrides or []},
            "options": options or {},
        }
        if transformations:
            panel["transformations"] = transformations
        self.panels.append(panel)

    def stat(self, title, description, query, unit, width=4, thresholds=None, **more):
        defaults = {"thresholds": steps(thresholds or [("blue", None)]), **more.pop("defaults", {})}
        self.panel(
            "stat",
            title,
            description,
            [query],
            unit,
            width,
            4,
            defaults,
            {
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "colorMode": "background",
                "graphMode": "none",
                "textMode": "auto",
            },
            **more,
        )

    def lines(self, title, description, queries, unit, width=8, stack=False, log=False, **more):
        custom = {
            "lineWidth": 1,
            "fillOpacity": 20 if stack else 0,
            "spanNulls": True,
            "stacking": {"mode": "normal" if stack else "none", "group": "A"},
            "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
        }
        self.panel(
            "timeseries",
            title,
            description,
            queries,
            unit,
            width,
            7,
            more.pop("defaults", {}),
            {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
            custom,
            **more,
        )

    def bars(self, title, description, queries, unit, width=8, **more):
        self.panel(
            "bargauge",
            title,
            description,
            queries,
            unit,
            width,
            7,
            {"thresholds": steps([("blue", None)]), **more.pop("defaults", {})},
            {
                "orientation": "horizontal",
                "displayMode": "basic",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            },
            instant=True,
            **more,
        )

    def activity(self, title, description, query, legend, width=24):
        values = {
            str(i): {"text": text, "color": ACTIVITY_COLOURS[i], "index": i}
            for i, text in enumerate(ACTIVITIES)
        }
        self.panel(
            "state-timeline",
            title,
            description,
            [(query, legend)],
            "none",
            width,
            6,
            {"mappings": [{"type": "value", "options": values}]},
            {
                "mergeValues": True,
                "showValue": "never",
                "rowHeight": 0.8,
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            },
            {"fillOpacity": 80, "lineWidth": 0},
        )

    def heat(self, title, description, query, unit, thresholds, width=12):
        self.panel(
            "table",
            title,
            description,
            [query],
            unit,
            width,
            13,
            {"thresholds": steps(thresholds), "decimals": 3 if unit == "percentunit" else 1},
            {"cellHeight": "sm", "showHeader": True},
            {"cellOptions": {"type": "color-background", "mode": "basic"}, "align": "center"},
            instant=True,
            table=True,
            transformations=[
                {
                    "id": "groupingToMatrix",
                    "options": {
                        "columnField": "region",
                        "rowField": "subset",
                        "valueField": "Value",
                    },
                }
            ],
        )

    def json(self):
        annotations = [
            {"name": name, "datasource": SOURCE, "enable": True, "iconColor": colour, "expr": expr}
            for name, expr, colour in self.annotations
        ]
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["lacuna"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "timezone": "browser",
            "time": {"from": "now-3h", "to": "now"},
            "templating": {
                "list": [
                    {
                        "name": "datasource",
                        "label": "Data source",
                        "type": "datasource",
                        "query": "prometheus",
                    },
                    *self.variables,
                ]
            },
            "annotations": {"list": annotations},
            "links": [
                {
                    "title": "Lacuna",
                    "type": "dashboards",
                    "tags": ["lacuna"],
                    "asDropdown": True,
                    "includeVars": True,
                    "keepTime": True,
                }
            ],
            "panels": self.panels,
        }


def variable(name, label, query, several=False):
    more = {"multi": True, "includeAll": True, "allValue": ".*"} if several else {}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "refresh": 2,
        "sort": 1,
        "query": {"query": query, "refId": "variable"},
        **more,
    }


SWEEP = variable("sweep", "Sweep", "label_values(lacuna_run_info, sweep)", several=True)
RUN = variable("run", "Run", 'label_values(lacuna_run_info{sweep=~"$sweep"}, run)')
RESTARTED = (
    "restart",
    'changes(lacuna_restarts_total{run="$run"}[$__rate_interval]) > 0',
    "orange",
)
SAVED = ("checkpoint", 'changes(lacuna_checkpoint_step{run="$run"}[$__rate_interval]) > 0', "green")
