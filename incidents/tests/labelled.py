"""A small invented set of labelled texts: three matters, told in many places and ways."""

LAMP, WAGES, RUBBISH = "lamp", "wages", "rubbish"
CORES = {
    LAMP: ["路灯不亮", "灯杆歪了", "路灯一闪一闪", "晚上没有路灯", "灯泡坏了"],
    WAGES: ["拖欠工资", "包工头不给钱", "欠薪三个月", "工钱没结", "老板不发工资"],
    RUBBISH: ["垃圾没人清", "垃圾桶满了", "一堆垃圾发臭", "乱倒垃圾", "垃圾堆在路边"],
}
PLACES = ["村口", "东头", "桥边", "学校门口", "小区里", "老街", "河边", "市场旁"]
ENDINGS = ["", "，请来人看看", "，反映过一次了", "，大家都有意见"]


def labelled(endings: list[str] | None = None) -> tuple[list[str], list[str]]:
    """Return texts and labels: 120 for each ending, the first alone unless said otherwise."""
    rows = [
        (f"{place}，{core}{ending}", label)
        for ending in endings or ENDINGS[:1]
        for label in CORES
        for core in CORES[label]
        for place in PLACES
    ]
    return [text for text, _label in rows], [label for _text, label in rows]
