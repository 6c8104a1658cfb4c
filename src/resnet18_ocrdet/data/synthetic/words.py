"""Texts of the scenes: English words, numbers and Chinese phrases from streets and shops."""

from __future__ import annotations

import numpy as np

_ENGLISH_TEXT = """
about access action after again air alarm always antique apple april arrival art aspirin autumn avenue
bakery balance bank bar barber beach beauty below best beyond bicycle big bistro black blue book border
boutique bread bridge bring bus business butcher button cafe camera candy car care cash castle caution
centre change cheese chicken child choice church cinema city class clean clear clinic closed coach coast
coffee cold college comfort copper corner cotton court credit cross customs daily danger dental depot design
detour diesel dinner doctor door double down dragon dream drink drive east easy electric elevator emergency
empire energy engine enjoy entrance escape espresso event exit express factory family farm fashion fast
ferry festival fever field final fire first fish flight floor flower food forest forward free fresh friend
fruit fuel furniture future gallery game garage garden gate general gift glass gold golf good grand gravel
great green grill grocery group guard guest hair half hall harbour hazard health heart heavy help high
history hobby holiday home honey hospital hotel hour house hungry island jacket jazz jewel juice july jump
keep kids king kitchen knife ladies lake laundry leather left legal lemon library life light limit lion
liquor little local lotus lounge lucky lunch machine magic mail major manager maple marble market master
maximum meat medical metro midnight milk mobile model modern monday money motel motor mountain museum music
natural never new night noise noodle north notice number oak ocean offer office oil old olive one open
orange organic outlet oven oxygen palace paper paradise park parking passage pasta patrol pay peace pedal
people pepper perfect pharmacy phone photo piano pizza plant plastic platform please police pool port post
power premium press price private public pull pump push quality quarter queen quick quiet radio railway rain
ramp ready red rental repair reserved rest rice right river road rock roof room rose royal rubber safety
sale salon sand school science sea season second secret security self senior service seven shoes shop side
signal silver sister slow smoke snack soft solar soup south space special speed sport spring square stadium
staff stairs star station steam stone stop storage store street studio sugar summer sun super supply surf
sushi sweet swim table tailor taxi tea temple tennis theatre ticket tiger timber tires today tools top tower
town toys track trade traffic train travel treat tree trust tunnel twenty union unit upper urban vacation
valley value velvet video view village vintage vision volume wait walk warning watch water wave way welcome
west wheel white wide window wine winter wonder wood work world yard yellow yield young your zebra zero zone
"""
_CHINESE_TEXT = """
酒店 出口 入口 银行 医院 药店 超市 餐厅 咖啡 茶馆 面馆 火锅 烧烤 水果 书店 花店 美发
眼镜 手机 电脑 维修 停车场 洗手间 电梯 楼梯 安全 危险 小心 注意 禁止吸烟 请勿入内 欢迎光临
营业中 今日特价 免费 打折 优惠 中国 北京 上海 广州 深圳 南京东路 人民广场 中山公园 火车站
地铁 公交 机场 码头 学校 大学 图书馆 博物馆 体育馆 电影院 邮局 派出所 消防 急诊 前台
办公室 会议室 仓库 工厂 市场 商城 百货 服装 鞋帽 珠宝 家具 建材 五金 电器 玩具 文具 蛋糕
面包 牛奶 豆浆 包子 饺子 米线 牛肉面 海鲜 川菜 湘菜 小吃 便利店 洗衣 快递 旅行社 宾馆
网吧 健身 瑜伽 幸福里 和平路 解放街 长安大道 东方明珠 春夏秋冬 生日快乐 恭喜发财 平安 吉祥
如意 福 龙 山水 风景区 新鲜蔬菜 招聘 出租 转让 正在施工 前方学校 减速慢行 左转 右转 直行
一号线 二楼 三号门 第五层 收银台 服务中心 售票处
"""

ENGLISH = tuple(_ENGLISH_TEXT.split())
"""Words of 2 to 10 letters, in lower case."""

CHINESE = tuple(_CHINESE_TEXT.split())
"""Phrases of 1 to 5 characters without spaces; each is one region."""

NUMBER_SHARE = 0.17  # of Latin words; prices, times and house numbers are about a sixth of ICDAR 2015's words


def draw_latin_word(rng: np.random.Generator, case: str) -> str:
    """One English word in `case` ("upper", "title" or "lower"), or a number as on signs."""
    if rng.random() < NUMBER_SHARE:
        return _draw_number(rng)
    word = ENGLISH[int(rng.integers(len(ENGLISH)))]
    mark = "!.,:;?&"[int(rng.integers(7))] if rng.random() < 0.08 else ""
    return {"upper": word.upper(), "title": word.capitalize(), "lower": word}[case] + mark


def draw_chinese_run(rng: np.random.Generator) -> str:
    """One Chinese phrase, sometimes two joined; 1 to 8 characters, no space."""
    phrase = CHINESE[int(rng.integers(len(CHINESE)))]
    return phrase + CHINESE[int(rng.integers(len(CHINESE)))] if rng.random() < 0.15 and len(phrase) < 4 else phrase


def _draw_number(rng: np.random.Generator) -> str:
    number = int(rng.integers(1, 1000))
    cents = int(rng.integers(100))
    forms = (
        f"{number + 9}",
        f"${number}.{cents:02d}",
        f"{number % 24}:{cents % 60:02d}",
        f"{number % 100 + 1}%",
        f"No.{number}",
        f"{number}-{cents + 100}",
        f"({number + 100})",
        f"A{number}",
    )
    return forms[int(rng.integers(len(forms)))]
