"""A fixed text to count tokens on, as visual questions and answers are worded; English in words, Chinese in signs.

Written for this purpose. A changed text changes every count: raise nothing, but measure again what is written down.
"""

ENGLISH = """\
The photo shows a narrow street in an old town, early on a winter morning. On the left, two women in dark coats are \
waiting for the bus; one of them holds a red umbrella although it is not raining. A delivery van is parked half on the \
pavement, and its driver is unloading crates of oranges, apples and what look like artichokes. Behind it you can read \
a sign that says "Bakery - open from 6:30", but the shop's windows are still dark. What is unusual about this scene? \
The shadows fall towards the lamp, which means that the light cannot come from it. Probably the photographer used a \
flash, or the picture was put together from two exposures. How many bicycles are there? There are three: one leaning \
against the wall, one carried by a boy in a striped sweater, and a third that is only visible as a reflection in the \
puddle. Answer with the option's letter from the given choices directly. The player wears number 23, his team's \
colours are blue and white, and the scoreboard shows 4 to 2 in the eighty-seventh minute.
"""

CHINESE = """\
照片里是一条老城区的小街，冬天的早晨，路灯还亮着。左边有两位穿深色外套的女士在等公共汽车，其中一位撑着一把红伞。\
面包店门前停着一辆白色货车，司机正在卸下几箱橙子和苹果。图中一共有几辆自行车？一共有三辆：一辆靠在墙边，一辆由一个男孩推着，\
还有一辆只能在水洼的倒影里看到。这张图片最有可能是在什么时候拍摄的？请直接回答选项字母。
"""
