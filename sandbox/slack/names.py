"""Names of people by culture: as written, and as romanised for addresses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimeZone:
    """A time zone as Slack describes it."""

    name: str
    label: str
    offset: int


@dataclass(frozen=True)
class Culture:
    """Given and family names as pairs (written, romanised), with where people with these names live.

    Romanised family names are unique across cultures, which keeps e-mail addresses unique.
    """

    given: tuple[tuple[str, str], ...]
    family: tuple[tuple[str, str], ...]
    zones: tuple[TimeZone, ...]
    locale: str


def _written(names: str) -> tuple[tuple[str, str], ...]:
    """Read names as `written` or `written=romanised`, separated by blanks."""
    pairs = (name.partition("=")[::2] for name in names.split())
    return tuple((written, (romanised or written).lower()) for written, romanised in pairs)


ROME = TimeZone("Europe/Rome", "Central European Time", 3600)
LONDON = TimeZone("Europe/London", "Greenwich Mean Time", 0)
NEW_YORK = TimeZone("America/New_York", "Eastern Time", -18000)
CHICAGO = TimeZone("America/Chicago", "Central Time", -21600)
LOS_ANGELES = TimeZone("America/Los_Angeles", "Pacific Time", -28800)
BERLIN = TimeZone("Europe/Berlin", "Central European Time", 3600)
PARIS = TimeZone("Europe/Paris", "Central European Time", 3600)
BOGOTA = TimeZone("America/Bogota", "South America Pacific Standard Time", -18000)
LAGOS = TimeZone("Africa/Lagos", "West Africa Time", 3600)
KOLKATA = TimeZone("Asia/Kolkata", "India Standard Time", 19800)
SHANGHAI = TimeZone("Asia/Shanghai", "China Standard Time", 28800)

ENGLISH = Culture(
    _written(
        "Ada Alan Alice Amos Barbara Ben Carol Charles Claire Daniel Diana Edgar Edith Ella Emma Ethan Fiona Frank "
        "Grace Hannah Harry Hazel Helen Henry Ivy Jack James Jane Joan John Kate Laura Leo Lily Lucy Mark Mary Max "
        "Mia Nina Nora Oliver Owen Paul Peter Quinn Rose Ruth Sam Sarah Simon Sophie Thomas Tim Vera Violet Walter "
        "Wendy William Zoe"
    ),
    _written(
        "Adams Archer Bailey Baker Barnes Bennett Bishop Brooks Burton Carter Chapman Clarke Coleman Cooper Dawson "
        "Dixon Ellis Evans Fisher Foster Gibson Graham Grant Gray Hamilton Harper Hayes Hopper Hughes Jenkins Kerr "
        "King Lawson Lovelace Marsh Mason Mills Morgan Newton O'Brien=obrien Palmer Parker Pearce Porter Reed Reid "
        "Rhodes Shaw Spencer Stone Sutton Turing Turner Wade Walsh Ward Watson Webb West Wright"
    ),
    (LONDON, NEW_YORK, CHICAGO, LOS_ANGELES),
    "en-US",
)
EUROPEAN = Culture(
    _written(
        "Anaïs=anais Björn=bjoern Chiara Dörte=doerte Elif Élodie=elodie Francesco Giulia Håkon=haakon Inés=ines "
        "Jürgen=juergen José=jose Kateřina=katerina Lucía=lucia Łukasz=lukasz Małgorzata=malgorzata Matteo Noël=noel "
        "Ömer=oemer Paolo Raúl=raul Siân=sian Søren=soeren Stéphane=stephane Tomás=tomas Ulrike Valentina "
        "Zoë=zoee Žofia=zofia Wojciech"
    ),
    _written(
        "Andersson Bianchi Çelik=celik Dupont Esposito Fernández=fernandez García=garcia Hernández=hernandez "
        "Jørgensen=joergensen Kowalski Lefèvre=lefevre Müller=mueller Novák=novak Núñez=nunez Öztürk=oeztuerk "
        "Pérez=perez Quiñones=quinones Reyes Rossi Schäfer=schaefer Strauß=strauss Szczepański=szczepanski "
        "Vandenberghe Weiß=weiss Żurawski=zurawski"
    ),
    (ROME, BERLIN, PARIS, BOGOTA),
    "en-GB",
)
AFRICAN = Culture(
    _written(
        "Abena Adaeze Amara Babatunde Chidi Chiamaka Emeka Folake Ifeoma Kofi Kwame Mira Ngozi Ọlá=ola Sade Tunde"
    ),
    _written("Adebayo Adeyemi Afolabi Asante Balogun Boateng Danso Eze Mensah Nwosu Obi Okafor Okonkwo Osei Owusu"),
    (LAGOS,),
    "en-GB",
)
INDIAN = Culture(
    _written(
        "आरव=aarav अनन्या=ananya अर्जुन=arjun दीपिका=deepika ईशा=isha कविता=kavita मीरा=meera नेहा=neha प्रिया=priya "
        "राहुल=rahul रोहन=rohan सन्दीप=sandeep श्रुति=shruti विक्रम=vikram"
    ),
    _written(
        "अग्रवाल=agrawal भट्ट=bhatt चौधरी=chaudhary देसाई=desai गुप्ता=gupta जोशी=joshi कुलकर्णी=kulkarni मेहता=mehta "
        "पटेल=patel राव=rao शर्मा=sharma सिंह=singh वर्मा=varma"
    ),
    (KOLKATA,),
    "hi-IN",
)
CHINESE = Culture(
    _written(
        "伟=wei 芳=fang 娜=na 敏=min 静=jing 丽=li 强=qiang 磊=lei 洋=yang 艳=yan 勇=yong 杰=jie 娟=juan 涛=tao 明=ming"
    ),
    _written(
        "王=wang 李=lee 张=zhang 刘=liu 陈=chen 杨=yeung 赵=zhao 黄=huang 周=zhou 吴=wu 徐=xu 孙=sun 马=ma 欧阳=ouyang"
    ),
    (SHANGHAI,),
    "zh-CN",
)

# How many of a hundred people belong to each culture.
SHARES = ((ENGLISH, 58), (EUROPEAN, 24), (AFRICAN, 9), (INDIAN, 5), (CHINESE, 4))
